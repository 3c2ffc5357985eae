import ModelFiles

/// The input is a safetensors file, first as it is, then with a header length that ends at the last `}`, so that a
/// mutation that changes the length of the header is not refused for that alone.
func fuzzSafeTensors(_ input: UnsafeRawBufferPointer) {
    checkHeader(of: input)
    guard input.count > 8, let end = input.lastIndex(of: UInt8(ascii: "}")), end >= 8 else { return }
    var file = [UInt8](input)
    file.withUnsafeMutableBytes { file in
        file.storeBytes(of: UInt64(end + 1 - 8).littleEndian, as: UInt64.self)
        checkHeader(of: UnsafeRawBufferPointer(file))
    }
}

/// The tensors of a header that is accepted must fill the data without gap or overlap.
private func checkHeader(of file: UnsafeRawBufferPointer) {
    refusing {
        let header = try SafeTensorsHeader(parsing: file, file: "model.safetensors")
        var end = 8 + Int(UInt64(littleEndian: file.loadUnaligned(as: UInt64.self)))
        for tensor in header.tensors {
            precondition(tensor.byteRange.lowerBound == end, "a gap or an overlap")
            precondition(tensor.shape.reduce(1, *) == tensor.elementCount, "the wrong number of elements")
            end = tensor.byteRange.upperBound
        }
        precondition(end == file.count, "bytes that are no tensor's")
    }
}

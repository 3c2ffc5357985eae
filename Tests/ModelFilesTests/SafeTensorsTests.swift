import ModelFiles
import TestSupport
import Testing

@Suite struct SafeTensorsTests {
    @Test("gives every tensor's bytes without a copy")
    func bytes() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(SafeTensorsFixture.small, to: "small.safetensors")
        let file = try SafeTensors(path: path)
        #expect(file.tensors.count == 5)
        for tensor in file.tensors {
            #expect(tensor.withBytes { $0.elementsEqual(SafeTensorsFixture.small[tensor.byteRange]) })
            tensor.discard()
            #expect(tensor.withBytes { $0.elementsEqual(SafeTensorsFixture.small[tensor.byteRange]) })
        }
        #expect(file.metadata == ["format": "pt"])
    }

    @Test("keeps the file mapped as long as a tensor lives")
    func lifetime() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(SafeTensorsFixture.small, to: "small.safetensors")
        let tensor = try SafeTensors(path: path).tensors[4]
        #expect(tensor.withBytes { $0.elementsEqual(SafeTensorsFixture.small.suffix(1000)) })
    }

    @Test("refuses every prefix of a file")
    func prefixes() {
        let whole = SafeTensorsFixture.small
        #expect(whole.count > 4000)
        for count in 0..<whole.count {
            // A copy of exactly this length, so that an address sanitizer sees a read past its end.
            _ = Array(whole[..<count]).withUnsafeBytes { bytes in
                #expect(throws: ModelFileError.self) { try SafeTensorsHeader(parsing: bytes, file: "f") }
            }
        }
    }

    /// Names and metadata are free text, in which a flipped bit is another letter.
    @Test("refuses every flipped bit of a header, or reads the same types, shapes and bytes")
    func bitFlips() throws {
        let whole = SafeTensorsFixture.small
        let expected = try whole.withUnsafeBytes { try SafeTensorsHeader(parsing: $0, file: "f") }
        let headerByteCount = expected.tensors[0].byteRange.lowerBound
        var refused = 0
        for index in 0..<headerByteCount {
            for bit in 0..<8 {
                var damaged = whole
                damaged[index] ^= 1 << UInt8(bit)
                let header = damaged.withUnsafeBytes { try? SafeTensorsHeader(parsing: $0, file: "f") }
                guard let header else {
                    refused += 1
                    continue
                }
                #expect(header.tensors.map(\.elementType) == expected.tensors.map(\.elementType))
                #expect(header.tensors.map(\.shape) == expected.tensors.map(\.shape))
                #expect(header.tensors.map(\.byteRange) == expected.tensors.map(\.byteRange))
                #expect(zip(header.tensors, expected.tensors).filter { $0.name != $1.name }.count <= 1)
            }
        }
        #expect(refused > headerByteCount * 4)
    }

    @Test("reads a header of 100,000 tensors")
    func manyTensors() throws {
        let count = 100_000
        let entries = (0..<count).map { index in
            SafeTensorsFixture.entry(
                "model.layers.\(index / 1000).mlp.experts.\(index % 1000).gate_proj.weight_scale_2", "U8", [1], index,
                index + 1)
        }
        let file = SafeTensorsFixture.file(header: "{" + entries.joined(separator: ",") + "}", dataByteCount: count)
        let header = try file.withUnsafeBytes { try SafeTensorsHeader(parsing: $0, file: "f") }
        #expect(header.tensors.count == count)
        #expect(header.tensors[99_999].name == "model.layers.99.mlp.experts.999.gate_proj.weight_scale_2")
    }
}

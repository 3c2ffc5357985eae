import FP4
import ModelFiles

/// A matrix in a tensor of floating-point numbers: any rows and columns at equal distances.
struct WeightView {
    let tensor: TensorView
    let rowCount: Int
    let columnCount: Int
    /// The element of the tensor that begins the matrix.
    let first: Int
    /// Elements of the tensor between two rows.
    let rowStride: Int
    /// Elements of the tensor between two columns.
    let columnStride: Int

    /// A part of a tensor; it has to lie inside.
    init(_ tensor: TensorView, rowCount: Int, columnCount: Int, first: Int, rowStride: Int, columnStride: Int) {
        self.tensor = tensor
        self.rowCount = rowCount
        self.columnCount = columnCount
        self.first = first
        self.rowStride = rowStride
        self.columnStride = columnStride
    }

    /// A whole tensor as rows of its last dimension.
    init(_ tensor: TensorView) {
        let columnCount = tensor.shape.last ?? 1
        self.init(
            tensor, rowCount: tensor.elementCount / max(1, columnCount), columnCount: columnCount, first: 0,
            rowStride: columnCount, columnStride: 1)
    }

    /// Bytes of the matrix in the tensor.
    var byteCount: Int { rowCount * columnCount * tensor.elementSize }

    /// Decodes some rows.
    ///
    /// - Parameter values: receives `[rows.count, columnCount]`, row-major.
    func read(_ rows: Range<Int>, into values: UnsafeMutableBufferPointer<Float>) {
        let start = first + rows.lowerBound * rowStride
        if columnStride == 1, rowStride == columnCount {
            tensor.decode(start..<start + values.count, into: values)
        } else {
            switch tensor.elementType {
            case .bf16: gather(rows.count, from: start, into: values) { Float(BFloat16(bits: $0)) }
            case .f16: gather(rows.count, from: start, into: values) { Float(FP16(bits: $0)) }
            default: gather(rows.count, from: start, into: values) { Float(bitPattern: $0) }
            }
        }
    }

    /// Reads along the rows of the matrix, whose elements are neighbours in a transposed tensor.
    @inline(__always)
    private func gather<Bits: FixedWidthInteger>(
        _ rowCount: Int, from start: Int, into values: UnsafeMutableBufferPointer<Float>, decode: (Bits) -> Float
    ) {
        tensor.withBytes { bytes in
            for column in 0..<columnCount {
                let base = start + column * columnStride
                for row in 0..<rowCount {
                    let offset = (base + row * rowStride) * MemoryLayout<Bits>.size
                    let bits = bytes.loadUnaligned(fromByteOffset: offset, as: Bits.self)
                    values[row * columnCount + column] = decode(Bits(littleEndian: bits))
                }
            }
        }
    }
}

extension TensorView {
    /// Bytes of an element.
    var elementSize: Int { elementType.bitCount / 8 }

    /// Decodes a run of elements of type F32, F16 or BF16.
    func decode(_ elements: Range<Int>, into values: UnsafeMutableBufferPointer<Float>) {
        withBytes { bytes in
            let range = elements.lowerBound * elementSize..<elements.upperBound * elementSize
            let bytes = UnsafeRawBufferPointer(rebasing: bytes[range])
            switch elementType {
            case .bf16: BFloat16.decode(bytes, into: values)
            case .f16: FP16.decode(bytes, into: values)
            default:
                for index in values.indices {
                    let bits = bytes.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self)
                    values[index] = Float(bitPattern: UInt32(littleEndian: bits))
                }
            }
        }
    }
}

internal import FP4
internal import Kernels

/// The values of a weight matrix, element by element from the bytes of its checkpoint.
struct ExpandedMatrix {
    private let columnCount: Int
    /// `[rowCount, columnCount]`.
    private let values: [Double]

    init(_ matrix: WeightMatrix) {
        columnCount = matrix.columnCount
        values = (0..<matrix.rowCount).flatMap { row in
            (0..<matrix.columnCount).map { column in matrix.value(row, column) }
        }
    }

    /// The products of all rows with a vector.
    func multiply(_ input: [Float]) -> [Double] {
        let input = input.map { Double($0) }
        return values.withUnsafeBytes { values in
            input.withUnsafeBytes { input in
                (0..<values.count / 8 / columnCount).map { row in
                    let row = UnsafeRawBufferPointer(
                        rebasing: values[row * columnCount * 8..<(row + 1) * columnCount * 8])
                    var sums = (SIMD8<Double>(), SIMD8<Double>())
                    let whole = row.count / 128 * 128
                    for offset in stride(from: 0, to: whole, by: 128) {
                        sums.0 +=
                            row.loadUnaligned(fromByteOffset: offset, as: SIMD8<Double>.self)
                            * input.loadUnaligned(fromByteOffset: offset, as: SIMD8<Double>.self)
                        sums.1 +=
                            row.loadUnaligned(fromByteOffset: offset + 64, as: SIMD8<Double>.self)
                            * input.loadUnaligned(fromByteOffset: offset + 64, as: SIMD8<Double>.self)
                    }
                    for offset in stride(from: whole, to: row.count, by: 8) {
                        sums.0[0] +=
                            row.loadUnaligned(fromByteOffset: offset, as: Double.self)
                            * input.loadUnaligned(fromByteOffset: offset, as: Double.self)
                    }
                    return (sums.0 + sums.1).sum()
                }
            }
        }
    }
}

extension WeightMatrix {
    /// An element.
    fileprivate func value(_ row: Int, _ column: Int) -> Double {
        func byte(_ bytes: StridedBytes, _ column: Int, _ offset: Int = 0) -> UInt8 {
            bytes.base.load(
                fromByteOffset: row * bytes.rowStride + column * bytes.columnStride + offset, as: UInt8.self)
        }
        func nibble() -> Double {
            let byte = byte(elements, column / 2)
            return Double(Float(E2M1(bits: column % 2 == 0 ? byte & 15 : byte >> 4)))
        }
        switch encoding {
        case .nvfp4(let scales, let globalScale):
            return nibble() * Double(Float(E4M3(bits: byte(scales, column / 16)))) * Double(globalScale)
        case .mxfp4(let scales): return nibble() * Double(Float(E8M0(bits: byte(scales, column / 32))))
        case .bfloat16:
            let bits = UInt16(byte(elements, column)) | UInt16(byte(elements, column, 1)) << 8
            return Double(Float(BFloat16(bits: bits)))
        case .float8(let scales):
            return Double(Float(E4M3(bits: byte(elements, column))))
                * Double(scales.count == 1 ? scales[0] : scales[row])
        case .float16, .float32: return .nan
        }
    }

    /// The same matrix, with an encode scale of its input.
    func with(inputEncodeScale: Float?) -> WeightMatrix {
        WeightMatrix(
            name: name, rowCount: rowCount, columnCount: columnCount, elements: elements, encoding: encoding,
            inputEncodeScale: inputEncodeScale, onDiscard: { discard() })
    }
}

/// A row as W4A4 sees it.
///
/// - Parameter encodeScale: nil for the row's own.
func quantizedRow(_ row: [Float], encodeScale: Float?) -> [Float] {
    let scale = encodeScale ?? NVFP4.encodeScale(absoluteMaximum: row.reduce(0) { max($0, abs($1)) })
    var values = row
    values.withUnsafeMutableBufferPointer { values in
        NVFP4.fakeQuantize(activations: UnsafeBufferPointer(values), encodeScale: scale, into: values)
    }
    return values
}

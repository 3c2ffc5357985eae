import Kernels
import Synchronization
import TestSupport

/// A random matrix as a checkpoint holds it, and what it means.
struct MatrixCase {
    enum Format: String, CaseIterable { case float32, float16, bfloat16, nvfp4, mxfp4 }

    /// Where the entries lie.
    enum Layout: CaseIterable {
        /// Rows one after another.
        case rowMajor
        /// Columns one after another: ModelOpt's fused experts.
        case transposed
        /// Every other row: gpt-oss's gate and up projections.
        case interleaved
    }

    let matrix: WeightMatrix
    /// The dequantized entries, row-major.
    let values: [Double]
    let memory: CaseMemory

    static let formats = Format.allCases

    /// The float32 matrix `[[1]]`.
    static func one(name: String) -> WeightMatrix {
        let memory = CaseMemory()
        let elements = memory.place(
            [withUnsafeBytes(of: Float(1).bitPattern.littleEndian, Array.init)], rowCount: 1, width: 4,
            layout: .rowMajor)
        return WeightMatrix(
            name: name, rowCount: 1, columnCount: 1, elements: elements, encoding: .float32,
            onDiscard: { memory.discardCount.add(1, ordering: .relaxed) })
    }

    init(
        _ format: Format, rowCount: Int, columnCount: Int, layout: Layout = .rowMajor, inputEncodeScale: Float? = nil,
        scaleBytes: [UInt8]? = nil, random: inout SeededRandom
    ) {
        memory = CaseMemory()
        let width = format == .float32 ? 4 : format == .float16 || format == .bfloat16 ? 2 : 1
        let unitCount = format == .nvfp4 || format == .mxfp4 ? columnCount / 2 : columnCount
        let blockSize = format == .nvfp4 ? 16 : 32
        var elements: [[UInt8]] = []
        var scales: [[UInt8]] = []
        var values: [Double] = []
        let globalScale: Float = 0.0123
        for row in 0..<rowCount {
            switch format {
            case .nvfp4, .mxfp4:
                let codes = (0..<unitCount).map { _ in UInt8.random(in: 0...255, using: &random) }
                let rowScales = (0..<columnCount / blockSize).map { block in
                    scaleBytes.map { $0[(row * (columnCount / blockSize) + block) % $0.count] }
                        ?? (format == .nvfp4
                            ? UInt8.random(in: 0x08...0x50, using: &random)
                            : UInt8.random(in: 118...126, using: &random))
                }
                elements += codes.map { [$0] }
                scales += rowScales.map { [$0] }
                for column in 0..<columnCount {
                    let code = codes[column / 2] >> (column % 2 == 0 ? 0 : 4) & 15
                    let scale = rowScales[column / blockSize]
                    values.append(
                        Self.e2m1(code)
                            * (format == .nvfp4 ? Self.e4m3(scale) * Double(globalScale) : Self.e8m0(scale)))
                }
            case .float32, .float16, .bfloat16:
                for _ in 0..<columnCount {
                    let (bytes, value) = Self.element(format, random.floats(1)[0])
                    elements.append(bytes)
                    values.append(value)
                }
            }
        }
        self.values = values
        let encoding: WeightMatrix.Encoding
        let view = memory.place(elements, rowCount: rowCount, width: width, layout: layout)
        switch format {
        case .float32: encoding = .float32
        case .float16: encoding = .float16
        case .bfloat16: encoding = .bfloat16
        case .nvfp4:
            encoding = .nvfp4(
                blockScales: memory.place(scales, rowCount: rowCount, width: 1, layout: layout),
                globalScale: globalScale)
        case .mxfp4:
            encoding = .mxfp4(blockScales: memory.place(scales, rowCount: rowCount, width: 1, layout: layout))
        }
        let owner = memory
        matrix = WeightMatrix(
            name: "\(format.rawValue)[\(rowCount), \(columnCount)]", rowCount: rowCount, columnCount: columnCount,
            elements: view, encoding: encoding, inputEncodeScale: inputEncodeScale,
            onDiscard: { owner.discardCount.add(1, ordering: .relaxed) })
    }

    private static func element(_ format: Format, _ value: Float) -> (bytes: [UInt8], value: Double) {
        switch format {
        case .float16:
            let half = Float16(value)
            return (withUnsafeBytes(of: half.bitPattern.littleEndian, Array.init), Double(half))
        case .bfloat16:
            let bits = value.bitPattern >> 16
            return (
                withUnsafeBytes(of: UInt16(bits).littleEndian, Array.init), Double(Float(bitPattern: bits << 16))
            )
        default: return (withUnsafeBytes(of: value.bitPattern.littleEndian, Array.init), Double(value))
        }
    }

    static func e2m1(_ code: UInt8) -> Double {
        [0, 0.5, 1, 1.5, 2, 3, 4, 6][Int(code & 7)] * (code & 8 == 0 ? 1 : -1)
    }

    static func e4m3(_ byte: UInt8) -> Double {
        let exponent = Int(byte >> 3 & 15)
        let mantissa = Double(byte & 7) / 8
        let magnitude =
            exponent == 0
            ? mantissa * 0x1p-6
            : Double(sign: .plus, exponent: exponent - 7, significand: 1 + mantissa)
        return byte & 0x80 == 0 ? magnitude : -magnitude
    }

    /// The kernels take 2^-127 as zero.
    static func e8m0(_ byte: UInt8) -> Double {
        byte == 0 ? 0 : Double(sign: .plus, exponent: Int(byte) - 127, significand: 1)
    }
}

/// Owns the bytes of a case, as a checkpoint would.
final class CaseMemory: Sendable {
    let discardCount = Atomic<Int>(0)
    nonisolated(unsafe) private var blocks: [UnsafeMutableRawBufferPointer] = []

    /// Copies entries, row-major, to where a layout has them.
    func place(
        _ entries: [[UInt8]], rowCount: Int, width: Int, layout: MatrixCase.Layout
    ) -> StridedBytes {
        let columnCount = entries.count / rowCount
        let (rowStride, columnStride) =
            switch layout {
            case .rowMajor: (columnCount * width, width)
            case .transposed: (width, rowCount * width)
            case .interleaved: (2 * columnCount * width, width)
            }
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, 2 * entries.count * width), alignment: 1)
        blocks.append(bytes)
        for (index, entry) in entries.enumerated() {
            let offset = index / columnCount * rowStride + index % columnCount * columnStride
            for (place, byte) in entry.enumerated() { bytes[offset + place] = byte }
        }
        guard let base = bytes.baseAddress else { preconditionFailure("no memory") }
        return StridedBytes(base: UnsafeRawPointer(base), rowStride: rowStride, columnStride: columnStride)
    }

    deinit {
        for block in blocks { block.deallocate() }
    }
}

internal import CUDA
internal import FP4
internal import Kernels
internal import Models

/// Rows of BF16 numbers, on the CPU as float32 and on the GPU with padding.
struct Activations {
    let rowCount: Int
    let columnCount: Int
    /// `[rowCount, columnCount]`, each a BF16 number.
    private(set) var values: [Float]

    /// Random rows, uniform from `-amplitude` to `amplitude`.
    init(rowCount: Int, columnCount: Int, amplitude: Float = 1, using random: inout SplitMix64) {
        self.rowCount = rowCount
        self.columnCount = columnCount
        values = (0..<rowCount * columnCount).map { _ in
            Float(BFloat16(Float.random(in: -amplitude...amplitude, using: &random)))
        }
    }

    subscript(row: Int, column: Int) -> Float {
        get { values[row * columnCount + column] }
        set { values[row * columnCount + column] = newValue }
    }

    /// The rows as a CPU backend takes them.
    func onCPU() throws -> CPUActivations {
        let activations = try CPUActivations(rowCount: rowCount, columnCount: columnCount)
        try activations.write(values)
        return activations
    }

    /// The BF16 bits of the rows, with zeros up to `pitch` columns.
    func bits(pitch: Int) -> [UInt16] {
        var bits = [UInt16](repeating: 0, count: rowCount * pitch)
        for row in 0..<rowCount {
            for column in 0..<columnCount { bits[row * pitch + column] = BFloat16(self[row, column]).bits }
        }
        return bits
    }

    /// Copies the rows to the beginning of a buffer.
    func copy(to buffer: DeviceBuffer<UInt16>, pitch: Int, on stream: Stream) throws {
        try stream.write(bits(pitch: pitch), to: buffer.part(0..<rowCount * pitch))
    }
}

/// How far results are from what they should be.
enum Deviation {
    /// The root mean square of the difference over that of the expected values; infinite where a number is missing, a
    /// difference in a single value is more than a few roundings, or the padding is not zero.
    ///
    /// - Parameters:
    ///   - found: BF16 bits `[T, pitch]`.
    ///   - expected: `[T, columnCount]`.
    ///   - outlier: the difference of one value, in units of the root mean square of those expected, that is too large: one
    ///     rounding of a value of five times the usual size is 1% of that, and a wrong element is far beyond.
    static func relative(
        _ found: [UInt16], pitch: Int, to expected: UnsafeBufferPointer<Float>, columnCount: Int, outlier: Double = 0.06
    ) -> Double {
        var (difference, square, largest) = (0.0, 0.0, 0.0)
        for (index, expected) in expected.enumerated() {
            let (row, column) = index.quotientAndRemainder(dividingBy: columnCount)
            let value = Double(Float(BFloat16(bits: found[row * pitch + column])))
            let error = abs(value - Double(expected))
            guard error.isFinite else { return .infinity }
            difference += error * error
            square += Double(expected) * Double(expected)
            largest = max(largest, error)
        }
        let paddedColumns = columnCount..<pitch
        for row in 0..<(found.count / pitch) {
            for column in paddedColumns where found[row * pitch + column] & 0x7FFF != 0 { return .infinity }
        }
        guard square > 0 else { return difference == 0 ? 0 : .infinity }
        let scale = (square / Double(expected.count)).squareRoot()
        return largest > outlier * scale ? .infinity : (difference / square).squareRoot()
    }
}

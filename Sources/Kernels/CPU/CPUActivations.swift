/// A buffer of float32 activations, with padding between rows.
public final class CPUActivations {
    /// The number of rows.
    public let rowCount: Int
    /// The number of columns.
    public let columnCount: Int
    /// The number of values from one row to the next.
    public let rowStride: Int
    private let storage: FloatBuffer

    /// Allocates a zeroed buffer.
    ///
    /// - Throws: ``KernelError`` if a count is negative, or there is not that much memory.
    public init(rowCount: Int, columnCount: Int) throws(KernelError) {
        let isPossible = (0...FloatBuffer.maximumCount).contains(columnCount)
        rowStride = isPossible ? RowStride.values(columnCount) : columnCount
        storage = try FloatBuffer(rowCount: rowCount, columnCount: rowStride)
        self.rowCount = rowCount
        self.columnCount = columnCount
    }

    /// The first value of a row below ``rowCount``, aligned to 64 bytes.
    public func row(_ index: Int) -> UnsafeMutablePointer<Float> { storage.base + index * rowStride }

    /// Copies the rows of a row-major array to the first rows.
    ///
    /// - Throws: ``KernelError`` if they are no whole rows, or more than there are.
    public func write(_ values: [Float]) throws(KernelError) {
        let count = columnCount > 0 ? values.count / columnCount : 0
        guard count * columnCount == values.count, count <= rowCount else {
            throw KernelError("\(values.count) values for a buffer [\(rowCount), \(columnCount)]")
        }
        values.withUnsafeBufferPointer { values in
            guard let source = values.baseAddress else { return }
            for index in 0..<count { row(index).update(from: source + index * columnCount, count: columnCount) }
        }
    }
}

/// A buffer of float32 activations, row-major, without padding between rows.
public final class CPUActivations {
    /// The first value of row 0, aligned to 64 bytes.
    public let base: UnsafeMutablePointer<Float>
    /// The number of rows.
    public let rowCount: Int
    /// The number of columns, and of values from one row to the next.
    public let columnCount: Int
    private let storage: FloatBuffer

    /// Allocates a zeroed buffer.
    ///
    /// - Throws: ``KernelError`` if a count is negative, or there is not that much memory.
    public init(rowCount: Int, columnCount: Int) throws(KernelError) {
        storage = try FloatBuffer(rowCount: rowCount, columnCount: columnCount)
        base = storage.base
        self.rowCount = rowCount
        self.columnCount = columnCount
    }

    /// The first value of a row below `rowCount`.
    func row(_ index: Int) -> UnsafeMutablePointer<Float> { base + index * columnCount }
}

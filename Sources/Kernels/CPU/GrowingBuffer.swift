/// Scratch memory that is kept from step to step and grows as needed.
struct GrowingBuffer {
    private var storage: FloatBuffer?

    /// Memory for `[rowCount, columnCount]` values of any content, valid until the next call.
    mutating func reserve(rowCount: Int, columnCount: Int) throws(KernelError) -> UnsafeMutablePointer<Float> {
        let (count, overflowed) = rowCount.multipliedReportingOverflow(by: columnCount)
        if !overflowed, let storage, count <= storage.count { return storage.base }
        storage = nil
        let grown = try FloatBuffer(rowCount: rowCount, columnCount: columnCount)
        storage = grown
        return grown.base
    }
}

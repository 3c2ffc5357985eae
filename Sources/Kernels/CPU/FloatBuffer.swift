#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Zeroed float32 values at an address that is a multiple of 64 bytes.
final class FloatBuffer {
    /// The first value.
    let base: UnsafeMutablePointer<Float>
    /// The number of values.
    let count: Int

    /// More than any machine has, and far from overflow.
    private static let maximumCount = 1 << 40

    /// Allocates `[rowCount, columnCount]` values.
    ///
    /// - Throws: ``KernelError`` if a count is negative, or there is not that much memory.
    init(rowCount: Int, columnCount: Int) throws(KernelError) {
        let (count, overflowed) = rowCount.multipliedReportingOverflow(by: columnCount)
        guard rowCount >= 0, columnCount >= 0, !overflowed, count <= Self.maximumCount else {
            throw KernelError("cannot allocate a float32 buffer [\(rowCount), \(columnCount)]")
        }
        let byteCount = max(count, 1) * MemoryLayout<Float>.size
        var memory: UnsafeMutableRawPointer?
        guard posix_memalign(&memory, 64, byteCount) == 0, let memory else {
            throw KernelError("no memory for a float32 buffer [\(rowCount), \(columnCount)] of \(byteCount) bytes")
        }
        memset(memory, 0, byteCount)
        base = memory.bindMemory(to: Float.self, capacity: max(count, 1))
        self.count = count
    }

    deinit { free(base) }
}

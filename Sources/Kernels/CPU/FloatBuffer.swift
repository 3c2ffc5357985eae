#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Zeroed float32 values at an address that is a multiple of 64 bytes; in large buffers, those that are not touched take
/// no memory.
final class FloatBuffer {
    /// The first value.
    let base: UnsafeMutablePointer<Float>
    /// The number of values.
    let count: Int

    private let memory: UnsafeMutableRawPointer

    private static let alignment = 64
    /// More than any machine has, and far from overflow.
    static let maximumCount = 1 << 40

    /// Allocates `[rowCount, columnCount]` values.
    ///
    /// - Throws: ``KernelError`` if a count is negative, or there is not that much memory.
    init(rowCount: Int, columnCount: Int) throws(KernelError) {
        let (count, overflowed) = rowCount.multipliedReportingOverflow(by: columnCount)
        guard rowCount >= 0, columnCount >= 0, !overflowed, count <= Self.maximumCount else {
            throw KernelError("cannot allocate a float32 buffer [\(rowCount), \(columnCount)]")
        }
        let byteCount = max(count, 1) * MemoryLayout<Float>.size
        guard let memory = calloc(byteCount + Self.alignment, 1) else {
            throw KernelError("no memory for a float32 buffer [\(rowCount), \(columnCount)] of \(byteCount) bytes")
        }
        self.memory = memory
        base = memory.alignedUp(toMultipleOf: Self.alignment).bindMemory(to: Float.self, capacity: max(count, 1))
        self.count = count
    }

    deinit { free(memory) }
}

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The bytes of packed matrices.
final class WeightMemory: @unchecked Sendable {
    /// The first byte, at an address that is a multiple of 64.
    let base: UnsafeMutablePointer<UInt8>

    private static let hugePageSize = 2 << 20
    /// More than any machine has, and far from overflow.
    private static let maximumByteCount = 1 << 46

    /// Allocates memory of any content; pages that are not written take none.
    ///
    /// - Parameter name: of the layer or tensor, for messages.
    /// - Throws: ``KernelError`` if there is not that much memory.
    init(byteCount: Int, for name: String) throws(KernelError) {
        // Weights are read from end to end: pages of 2 MiB spare most of the address translations.
        let usesHugePages = byteCount >= 2 * Self.hugePageSize
        var memory: UnsafeMutableRawPointer?
        guard
            (0...Self.maximumByteCount).contains(byteCount),
            posix_memalign(&memory, usesHugePages ? Self.hugePageSize : 64, max(byteCount, 64)) == 0, let memory
        else { throw KernelError("\(name): no memory for \(byteCount) bytes of weights") }
        #if os(Linux)
            if usesHugePages { madvise(memory, byteCount, MADV_HUGEPAGE) }
        #endif
        base = memory.bindMemory(to: UInt8.self, capacity: max(byteCount, 64))
    }

    deinit { free(base) }
}

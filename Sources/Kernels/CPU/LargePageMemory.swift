#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Memory for what is read from end to end: packed matrices, keys and values.
final class LargePageMemory: @unchecked Sendable {
    /// The first byte, at an address that is a multiple of 64.
    let base: UnsafeMutablePointer<UInt8>
    /// The number of bytes.
    let byteCount: Int

    private static let hugePageSize = 2 << 20
    /// More than any machine has, and far from overflow.
    private static let maximumByteCount = 1 << 46

    /// Allocates memory of any content; pages that are not written take none.
    ///
    /// - Parameter name: of the layer or tensor, for messages.
    /// - Throws: ``KernelError`` if there is not that much memory.
    init(byteCount: Int, for name: String) throws(KernelError) {
        // Pages of 2 MiB spare most of the address translations.
        let usesHugePages = byteCount >= Self.hugePageSize
        var memory: UnsafeMutableRawPointer?
        guard
            (0...Self.maximumByteCount).contains(byteCount),
            posix_memalign(&memory, usesHugePages ? Self.hugePageSize : 64, max(byteCount, 64)) == 0, let memory
        else { throw KernelError("\(name): no memory for \(byteCount) bytes") }
        #if os(Linux)
            if usesHugePages { madvise(memory, byteCount, MADV_HUGEPAGE) }
        #endif
        base = memory.bindMemory(to: UInt8.self, capacity: max(byteCount, 64))
        self.byteCount = byteCount
    }

    deinit { free(base) }
}

/// Places matrices or blocks one after another in large pieces of memory.
///
/// A piece lives as long as somebody refers to it.
struct MemoryArena {
    private var memory: LargePageMemory?
    private var usedByteCount = 0

    /// Of a piece, unless something needs more.
    ///
    /// What is not written takes no memory but for the rest of a large page: few large pieces waste less than many.
    private let pieceByteCount: Int

    /// An arena without memory.
    init(pieceByteCount: Int) { self.pieceByteCount = pieceByteCount }

    /// Whether the last piece has room for so many bytes.
    func hasRoom(forByteCount byteCount: Int) -> Bool {
        byteCount <= (memory?.byteCount ?? 0) - usedByteCount
    }

    /// Some memory, and where it starts in a piece, at a multiple of 64 bytes.
    ///
    /// - Throws: ``KernelError`` if there is not that much memory.
    mutating func reserve(
        byteCount: Int, for name: String
    ) throws(KernelError) -> (memory: LargePageMemory, offset: Int) {
        if let memory, hasRoom(forByteCount: byteCount) {
            let offset = usedByteCount
            usedByteCount += min((byteCount + 63) & ~63, memory.byteCount - usedByteCount)
            return (memory, offset)
        }
        let piece = try LargePageMemory(byteCount: max(byteCount, pieceByteCount), for: name)
        memory = piece
        usedByteCount = min((byteCount + 63) & ~63, piece.byteCount)
        return (piece, 0)
    }
}

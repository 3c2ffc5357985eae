#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Memory that holds packed matrices.
final class WeightMemory: @unchecked Sendable {
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
        // Weights are read from end to end: pages of 2 MiB spare most of the address translations.
        let usesHugePages = byteCount >= Self.hugePageSize
        var memory: UnsafeMutableRawPointer?
        guard
            (0...Self.maximumByteCount).contains(byteCount),
            posix_memalign(&memory, usesHugePages ? Self.hugePageSize : 64, max(byteCount, 64)) == 0, let memory
        else { throw KernelError("\(name): no memory for \(byteCount) bytes of weights") }
        #if os(Linux)
            if usesHugePages { madvise(memory, byteCount, MADV_HUGEPAGE) }
        #endif
        base = memory.bindMemory(to: UInt8.self, capacity: max(byteCount, 64))
        self.byteCount = byteCount
    }

    deinit { free(base) }
}

/// Places the matrices of a model one after another in large pieces of memory.
///
/// A piece lives as long as a matrix in it.
struct WeightArena {
    private var memory: WeightMemory?
    private var usedByteCount = 0

    /// Of a piece, unless one matrix or expert needs more.
    ///
    /// What is not written takes no memory but for the rest of a large page: few large pieces waste less than many.
    private static let pieceByteCount = 256 << 20

    /// Memory for a matrix or an expert, and where it starts in a piece, at a multiple of 64 bytes.
    ///
    /// - Throws: ``KernelError`` if there is not that much memory.
    mutating func reserve(
        byteCount: Int, for name: String
    ) throws(KernelError) -> (memory: WeightMemory, offset: Int) {
        if let memory, byteCount <= memory.byteCount - usedByteCount {
            let offset = usedByteCount
            usedByteCount += min((byteCount + 63) & ~63, memory.byteCount - usedByteCount)
            return (memory, offset)
        }
        let piece = try WeightMemory(byteCount: max(byteCount, Self.pieceByteCount), for: name)
        memory = piece
        usedByteCount = min((byteCount + 63) & ~63, piece.byteCount)
        return (piece, 0)
    }
}

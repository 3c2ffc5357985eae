import CCPUKernels

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What the blocks of a matrix in compact BF16 refer to: their exceptions, or a block as plain BF16.
final class BlockAsides: @unchecked Sendable {
    private let asides: UnsafeMutableBufferPointer<nibble_aside>

    /// Asides that are empty until their blocks are packed.
    init(blockCount: Int) {
        asides = .allocate(capacity: blockCount)
        asides.initialize(repeating: nibble_aside())
    }

    deinit {
        for aside in asides { free(aside.bytes) }
        asides.deallocate()
    }

    /// Of one block; different ones may be written by different threads.
    subscript(block: Int) -> UnsafeMutablePointer<nibble_aside> {
        guard let base = asides.baseAddress else { preconditionFailure("a matrix without blocks") }
        return base + block
    }

    /// The bytes of all blocks.
    var byteCount: Int { asides.reduce(0) { $0 + $1.byte_count } }
}

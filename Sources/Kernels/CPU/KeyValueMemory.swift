/// Memory for the blocks of one sequence's cache.
///
/// A sequence that has grown gets large pages: every token reads all its blocks, and in pages of 4 KiB a fifth of the time
/// goes to address translation. A short one would leave most of a large page unused.
final class KeyValueMemory {
    private var buffers: [FloatBuffer] = []
    private var arena = MemoryArena(pieceByteCount: 2 << 20)
    private var pieces: [LargePageMemory] = []
    private var byteCount = 0
    private let availableByteCount: () -> Int?

    /// From which size on a cache gets large pages.
    private static let leastLargeByteCount = 2 << 20

    /// No memory yet.
    ///
    /// - Parameter availableByteCount: what the system can still give, or nil where it does not tell; asked for each piece.
    init(availableByteCount: @escaping () -> Int? = { AvailableMemory.byteCount }) {
        self.availableByteCount = availableByteCount
    }

    /// A block of values, aligned to 64 bytes; it lives as long as this object.
    ///
    /// - Throws: ``KernelError`` if there is no memory.
    func takeBlock(valueCount: Int) throws(KernelError) -> UnsafeMutablePointer<Float> {
        let blockByteCount = valueCount * MemoryLayout<Float>.size
        defer { byteCount += blockByteCount }
        guard byteCount >= Self.leastLargeByteCount else {
            let buffer = try FloatBuffer(rowCount: 1, columnCount: valueCount)
            buffers.append(buffer)
            return buffer.base
        }
        let name = "a key-value cache"
        if !arena.hasRoom(forByteCount: blockByteCount) {
            try AvailableMemory.require([blockByteCount], of: availableByteCount(), for: name)
        }
        let (piece, offset) = try arena.reserve(byteCount: blockByteCount, for: name)
        if pieces.last !== piece { pieces.append(piece) }
        let block = UnsafeMutableRawPointer(piece.base + offset).bindMemory(to: Float.self, capacity: valueCount)
        block.update(repeating: 0, count: valueCount)
        return block
    }
}

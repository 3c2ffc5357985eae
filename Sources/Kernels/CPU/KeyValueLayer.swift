/// The keys and values of one sequence in one layer, in blocks of positions that are allocated as they are filled.
///
/// A block holds for each head its keys, in panels of 16 positions `[headSize, 16]` so that the scores of neighbouring
/// positions are computed side by side, and then its values, in panels of 16 elements `[blockSize, 16]`. Both are read
/// from front to back. Blocks that the mask hides from all later queries are used again.
final class KeyValueLayer {
    /// The number of positions in a block.
    static let blockSize = 64
    /// The number of columns in a panel of a matrix product.
    static let panelSize = 16

    /// The attention whose keys and values these are.
    let shape: AttentionShape
    /// The blocks by position, which stay where they are; nil if not yet filled, or dropped.
    let blocks: UnsafeMutableBufferPointer<UnsafeMutablePointer<Float>?>
    /// The number of positions held or dropped.
    private(set) var count = 0
    /// The blocks before this one are dropped.
    private var droppedCount = 0
    private let memory: KeyValueMemory
    /// The number of blocks that memory was taken for.
    private var blockCount = 0
    private var spare: [UnsafeMutablePointer<Float>] = []

    /// Makes an empty layer for a checked number of positions.
    init(shape: AttentionShape, capacity: Int, memory: KeyValueMemory) {
        self.shape = shape
        self.memory = memory
        blocks = .allocate(capacity: (capacity - 1) / Self.blockSize + 1)
        blocks.initialize(repeating: nil)
    }

    deinit { blocks.deallocate() }

    /// Makes room for positions that are about to be written, below the capacity.
    ///
    /// - Throws: ``KernelError`` if earlier positions are missing, or there is no memory.
    func reserve(_ positions: Range<Int>) throws(KernelError) {
        try require(positions.lowerBound, end: positions.lowerBound)
        let firstNeeded = shape.mask.firstVisibleKey(at: positions.lowerBound) / Self.blockSize
        while droppedCount < firstNeeded {
            if let block = blocks[droppedCount] { spare.append(block) }
            blocks[droppedCount] = nil
            droppedCount += 1
        }
        var block = positions.lowerBound / Self.blockSize
        while block * Self.blockSize < positions.upperBound {
            if blocks[block] == nil { blocks[block] = try takeBlock() }
            block += 1
        }
        count = positions.upperBound
    }

    /// Checks that all positions are here that a query at `position` sees, and those up to `end`.
    ///
    /// - Throws: ``KernelError`` if some are not.
    func require(_ position: Int, end: Int) throws(KernelError) {
        let first = shape.mask.firstVisibleKey(at: position)
        let held = droppedCount * Self.blockSize..<max(count, droppedCount * Self.blockSize)
        guard first >= held.lowerBound, end <= held.upperBound else {
            throw KernelError("positions \(first)..<\(end) are needed of a key-value cache that holds \(held)")
        }
    }

    /// The bytes of the blocks.
    var byteCount: Int { blockCount * blockValueCount * MemoryLayout<Float>.size }

    private var blockValueCount: Int { shape.keyValueHeadCount * shape.blockHeadSize }

    private func takeBlock() throws(KernelError) -> UnsafeMutablePointer<Float> {
        if let block = spare.popLast() { return block }
        let block = try memory.takeBlock(valueCount: blockValueCount)
        blockCount += 1
        return block
    }
}

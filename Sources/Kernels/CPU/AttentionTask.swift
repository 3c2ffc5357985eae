/// The attention of some rows of a sequence and the query heads of one key head, over a range of keys.
struct AttentionTask {
    /// The key head.
    let head: Int
    /// The rows of the step.
    let rows: Range<Int>
    /// The position of the first row.
    let firstPosition: Int
    /// The positions of the keys to visit, not empty.
    let keys: Range<Int>
    /// The blocks of the sequence's cache.
    let blocks: UnsafeMutableBufferPointer<UnsafeMutablePointer<Float>?>
    /// Which of the parts of these rows' keys this is.
    let part: Int
    /// How many parts there are; with more than one, they are combined in the end.
    let partCount: Int
    /// The index of the part among all parts of the step, if there is more than one.
    let partialIndex: Int
}

/// The tasks of one attention operation.
///
/// How the work is cut depends on the sequences alone and not on the number of threads, and parts are combined in
/// order, so that results do not either.
struct AttentionPlan {
    /// Query rows (of all heads that share a key head) that a task computes at the same time, if a token has not more.
    private static let rowsPerTile = 32
    /// The least number of cache blocks in a part.
    private static let blocksPerPart = 4
    /// The largest number of parts.
    private static let maximumPartCount = 64

    private(set) var tasks: [AttentionTask] = []
    /// The number of parts that have to be combined.
    private(set) var partialCount = 0
    /// The multiplications of all tasks, about.
    private(set) var operationCount = 0

    /// Starts again, without tasks.
    mutating func reset() {
        tasks.removeAll(keepingCapacity: true)
        partialCount = 0
        operationCount = 0
    }

    /// The largest number of query rows of a task.
    static func tileRowCount(_ shape: AttentionShape) -> Int { tokensPerTile(shape) * shape.groupSize }

    private static func tokensPerTile(_ shape: AttentionShape) -> Int { max(1, rowsPerTile / shape.groupSize) }

    /// Adds the tasks of a sequence.
    mutating func add(_ sequence: SequenceRows<CPUKeyValueCache>, cache: KeyValueLayer) {
        let shape = cache.shape
        let tokensPerTile = Self.tokensPerTile(shape)
        for start in stride(from: sequence.rows.lowerBound, to: sequence.rows.upperBound, by: tokensPerTile) {
            let rows = start..<min(start + tokensPerTile, sequence.rows.upperBound)
            let position = sequence.firstPosition + (start - sequence.rows.lowerBound)
            let keys = shape.mask.firstVisibleKey(at: position)..<position + rows.count
            // Prompts have tiles enough to share; a few rows share the work by their keys.
            let isAlone = sequence.rows.count <= tokensPerTile
            for head in 0..<shape.keyValueHeadCount {
                addParts(
                    of: keys, count: isAlone ? Self.partCount(keys) : 1, head: head, rows: rows, position: position,
                    blocks: cache.blocks)
            }
            operationCount += 2 * rows.count * shape.queryHeadCount * keys.count * shape.headSize
        }
    }

    private static func partCount(_ keys: Range<Int>) -> Int {
        let blockCount = (keys.upperBound - 1) / KeyValueLayer.blockSize - keys.lowerBound / KeyValueLayer.blockSize + 1
        return min(maximumPartCount, (blockCount + blocksPerPart - 1) / blocksPerPart)
    }

    private mutating func addParts(
        of keys: Range<Int>, count: Int, head: Int, rows: Range<Int>, position: Int,
        blocks: UnsafeMutableBufferPointer<UnsafeMutablePointer<Float>?>
    ) {
        let firstBlock = keys.lowerBound / KeyValueLayer.blockSize
        let blockCount = (keys.upperBound - 1) / KeyValueLayer.blockSize + 1 - firstBlock
        for part in 0..<count {
            let start = (firstBlock + blockCount * part / count) * KeyValueLayer.blockSize
            let end = (firstBlock + blockCount * (part + 1) / count) * KeyValueLayer.blockSize
            tasks.append(
                AttentionTask(
                    head: head, rows: rows, firstPosition: position,
                    keys: max(keys.lowerBound, start)..<min(keys.upperBound, end), blocks: blocks, part: part,
                    partCount: count, partialIndex: partialCount + part))
        }
        if count > 1 { partialCount += count }
    }
}

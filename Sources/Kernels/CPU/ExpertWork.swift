/// Blocks of the gate and up projections of one expert.
struct ExpertPiece {
    /// The index of the expert's group in the step.
    let group: Int
    /// The blocks of 16 hidden values.
    let blocks: Range<Int>
}

/// The gate and up projections of a step, one expert after the other, to be divided by the time that they take.
struct ExpertWork {
    /// Of each expert and matrix.
    private let blockCount: Int
    /// The units of work of a block of each group, and those of all groups before it.
    private let groups: [(perBlock: Int, before: Int)]
    /// The units of work of all groups.
    let total: Int

    /// Describes the work of a step whose experts have so many blocks of hidden values.
    init(_ step: ExpertStep, blockCount: Int) {
        var total = 0
        groups = step.groups.map { group in
            // Reading a block takes about as long as two rows' products with it.
            let perBlock = 2 + group.assignments.count
            defer { total += perBlock * blockCount }
            return (perBlock, total)
        }
        self.blockCount = blockCount
        self.total = total
    }

    /// Calls `body` with the blocks that begin within these units of work.
    func forEachPiece(of work: Range<Int>, _ body: (ExpertPiece) -> Void) {
        for (index, group) in groups.enumerated() {
            let (start, end) = (work.lowerBound - group.before, work.upperBound - group.before)
            if end <= 0 || start >= group.perBlock * blockCount { continue }
            func firstBlock(from unit: Int) -> Int {
                min(max(0, (unit + group.perBlock - 1) / group.perBlock), blockCount)
            }
            let blocks = firstBlock(from: start)..<firstBlock(from: end)
            if !blocks.isEmpty { body(ExpertPiece(group: index, blocks: blocks)) }
        }
    }
}

/// Blocks of the gate and up projections of one expert, the work of one task.
struct ExpertPiece {
    /// The index of the expert's group in the step.
    let group: Int
    /// The blocks of 16 hidden values.
    let blocks: Range<Int>

    /// Divides the gate and up projections of a step into pieces of about the same work.
    static func dividing(_ step: ExpertStep, layer: CPUFeedForward, threadCount: Int) -> [ExpertPiece] {
        let blockCount = (layer.intermediateSize + PackedShape.blockRows - 1) / PackedShape.blockRows
        // Reading a block takes about as long as two rows' products with it.
        let work = step.groups.reduce(0) { $0 + blockCount * (2 + $1.assignments.count) }
        let workPerPiece = max(1, work / (threadCount * CPUBackend.tasksPerThread))
        var pieces: [ExpertPiece] = []
        for (index, group) in step.groups.enumerated() {
            let wanted = blockCount * (2 + group.assignments.count) / workPerPiece
            let pieceCount = max(1, min(blockCount, wanted))
            for piece in 0..<pieceCount {
                let blocks = blockCount * piece / pieceCount..<blockCount * (piece + 1) / pieceCount
                pieces.append(ExpertPiece(group: index, blocks: blocks))
            }
        }
        return pieces
    }
}

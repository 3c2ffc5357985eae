/// Which rows each expert computes: the routing of a step, grouped by expert.
///
/// Assignments are in the order of their experts, and for one expert in the order of the rows.
struct ExpertAssignments {
    /// The number of experts of a row.
    private(set) var topK = 0
    /// The assignments of expert `e` are `offsets[e] ..< offsets[e + 1]`, `[E + 1]`.
    private(set) var offsets: [Int] = []
    /// The row of each assignment, `[T * topK]`.
    private(set) var rows: [Int] = []
    /// The weight of each assignment, `[T * topK]`.
    private(set) var weights: [Float] = []
    /// The assignments of row `t` in the order of their experts, at `t * topK ..< (t + 1) * topK`.
    private(set) var slots: [Int] = []

    /// The number of experts.
    var expertCount: Int { max(0, offsets.count - 1) }

    /// Groups the choices of the rows by expert (a counting sort), reusing this value's memory.
    ///
    /// - Parameters:
    ///   - experts: the experts of each row, `[T, topK]`, distinct for one row, each below `expertCount`.
    ///   - weights: their weights, `[T, topK]`.
    mutating func group(
        experts: UnsafeBufferPointer<Int32>, weights choiceWeights: UnsafeBufferPointer<Float>, topK: Int,
        expertCount: Int
    ) {
        self.topK = topK
        offsets.removeAll(keepingCapacity: true)
        offsets.append(contentsOf: repeatElement(0, count: expertCount + 1))
        for expert in experts { offsets[Int(expert) + 1] += 1 }
        for expert in 0..<expertCount { offsets[expert + 1] += offsets[expert] }

        rows.resize(to: experts.count, with: 0)
        weights.resize(to: experts.count, with: 0)
        slots.resize(to: experts.count, with: 0)
        // Filling moves the start of each expert to its end, which is the start of the next.
        for choice in experts.indices {
            let expert = Int(experts[choice])
            let assignment = offsets[expert]
            offsets[expert] += 1
            rows[assignment] = choice / topK
            weights[assignment] = choiceWeights[choice]
            slots[choice] = assignment
        }
        for expert in stride(from: expertCount, to: 0, by: -1) { offsets[expert] = offsets[expert - 1] }
        offsets[0] = 0
        for start in stride(from: 0, to: slots.count, by: topK) { slots[start..<start + topK].sort() }
    }
}

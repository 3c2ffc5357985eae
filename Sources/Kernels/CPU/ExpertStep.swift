/// The rows of a step, grouped by the expert that computes them.
struct ExpertStep {
    /// One expert and its assignments.
    struct Group {
        let expert: Int
        let assignments: Range<Int>
    }

    /// The experts that have rows, in their order.
    let groups: [Group]
    /// The row of each assignment.
    let rows: [Int]
    /// The weight of each assignment; empty if all are 1.
    let weights: [Float]

    /// The largest number of assignments of an expert.
    var largestGroup: Int { groups.reduce(0) { max($0, $1.assignments.count) } }

    /// The routing of a step.
    init(_ assignments: ExpertAssignments) {
        groups = (0..<assignments.expertCount).compactMap { expert in
            let range = assignments.offsets[expert]..<assignments.offsets[expert + 1]
            return range.isEmpty ? nil : Group(expert: expert, assignments: range)
        }
        rows = assignments.rows
        weights = assignments.weights
    }

    /// All rows for the only expert.
    static func dense(rowCount: Int) -> ExpertStep {
        ExpertStep(
            groups: [Group(expert: 0, assignments: 0..<rowCount)], rows: Array(0..<rowCount), weights: [])
    }

    private init(groups: [Group], rows: [Int], weights: [Float]) {
        self.groups = groups
        self.rows = rows
        self.weights = weights
    }
}

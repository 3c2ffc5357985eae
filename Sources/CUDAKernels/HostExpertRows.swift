/// Which tokens each expert computes, made on the host from each token's choice.
public struct HostExpertRows: Sendable, Equatable {
    /// An expert that a token chose, and its weight.
    public struct Choice: Sendable, Equatable {
        /// The expert's index.
        public var expert: Int
        /// What its output, or its input, is multiplied by.
        public var weight: Float

        /// An expert and its weight.
        public init(expert: Int, weight: Float) {
            self.expert = expert
            self.weight = weight
        }
    }

    /// The most rows of a block.
    public let blockRowCount: Int
    /// The experts with at least one row, ascending.
    public let experts: [Int]
    let list: [UInt32]
    let tokens: [UInt32]
    let weights: [Float]

    /// Sorts the choices of each token by expert; an expert that a token names twice gets the sum of its weights.
    ///
    /// - Parameters:
    ///   - choices: for each token its experts, by non-negative indices.
    ///   - blockRowCount: the most rows of a block, at least 1.
    public init(_ choices: [[Choice]], blockRowCount: Int) {
        var rowsOfExperts: [Int: [(token: Int, weight: Float)]] = [:]
        for (token, choices) in choices.enumerated() {
            for choice in choices {
                var rows = rowsOfExperts[choice.expert] ?? []
                if let last = rows.indices.last, rows[last].token == token {
                    rows[last].weight += choice.weight
                } else {
                    rows.append((token, choice.weight))
                }
                rowsOfExperts[choice.expert] = rows
            }
        }
        let sorted = rowsOfExperts.sorted { $0.key < $1.key }
        var blocks: [UInt32] = []
        var firstRow = 0
        for (expert, rows) in sorted {
            for start in stride(from: 0, to: rows.count, by: blockRowCount) {
                let count = min(blockRowCount, rows.count - start)
                blocks += [UInt32(expert), UInt32(firstRow + start), UInt32(count), 0]
            }
            firstRow += rows.count
        }
        self.blockRowCount = blockRowCount
        experts = sorted.map(\.key)
        list = [UInt32(blocks.count / 4), 0, 0, 0] + blocks
        tokens = sorted.flatMap { $0.value.map { UInt32($0.token) } }
        weights = sorted.flatMap { $0.value.map(\.weight) }
    }
}

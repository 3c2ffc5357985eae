public import CUDA

/// What routing gives, made on the host from each token's choice: for tests, and where the routing is known.
public struct HostRoutedRows: Sendable, Equatable {
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

    /// The experts with at least one row, ascending.
    public let experts: [Int]
    let rowTokens: [UInt32]
    let rowWeights: [Float]
    /// `[T, topK]`; all ones where a token has fewer rows.
    let slotRows: [UInt32]
    /// `RowBlockList` of `common/moe.cuh`, one for each limit.
    let blockLists: [[UInt32]]
    /// The rows of a block in each list, at most.
    let blockRowCounts: [Int]
    let tokenCount: Int
    let topK: Int

    /// Sorts the choices of each token by expert; an expert that a token names twice gets the sum of its weights.
    ///
    /// - Parameters:
    ///   - choices: for each token at most `topK` experts, by indices from 0 to 511.
    ///   - blockRowCounts: the most rows of a block in each list, at least 1.
    /// - Throws: ``CUDA/CUDAError`` with code `invalidArgument` for choices or sizes beyond these.
    public init(_ choices: [[Choice]], topK: Int, blockRowCounts: [Int]) throws(CUDAError) {
        try Self.check(choices, topK: topK, blockRowCounts: blockRowCounts)
        var rowsOfExperts: [Int: [(token: Int, weight: Float)]] = [:]
        for (token, choices) in choices.enumerated() {
            for choice in choices {
                var rows = rowsOfExperts[choice.expert, default: []]
                if let last = rows.indices.last, rows[last].token == token {
                    rows[last].weight += choice.weight
                } else {
                    rows.append((token, choice.weight))
                }
                rowsOfExperts[choice.expert] = rows
            }
        }
        let sorted = rowsOfExperts.sorted { $0.key < $1.key }
        var rowOfExperts: [[Int: Int]] = .init(repeating: [:], count: choices.count)
        var row = 0
        for (expert, rows) in sorted {
            for (token, _) in rows {
                rowOfExperts[token][expert] = row
                row += 1
            }
        }
        experts = sorted.map(\.key)
        rowTokens = sorted.flatMap { $0.value.map { UInt32($0.token) } }
        rowWeights = sorted.flatMap { $0.value.map(\.weight) }
        slotRows = choices.enumerated().flatMap { token, choices in
            // A row that is named twice is taken once.
            var rows = rowOfExperts[token]
            let slots = choices.map { choice in rows.removeValue(forKey: choice.expert).map { UInt32($0) } ?? .max }
            return slots + [UInt32](repeating: .max, count: topK - slots.count)
        }
        blockLists = blockRowCounts.map { limit in
            Self.blockList(sorted.map { ($0.key, $0.value.count) }, limit: limit)
        }
        self.blockRowCounts = blockRowCounts
        tokenCount = choices.count
        self.topK = topK
    }

    private static func check(_ choices: [[Choice]], topK: Int, blockRowCounts: [Int]) throws(CUDAError) {
        func fail(_ message: String) -> CUDAError { CUDAError(.invalidArgument, "routed rows: \(message)") }
        guard 1...16 ~= topK else { throw fail("top-k \(topK), expected 1 to 16") }
        guard blockRowCounts.allSatisfy({ $0 >= 1 }) else {
            throw fail("row blocks of \(blockRowCounts) rows, expected 1 or more")
        }
        for (token, choices) in choices.enumerated() {
            guard choices.count <= topK else {
                throw fail("\(choices.count) experts of token \(token), expected at most \(topK)")
            }
            for choice in choices where !(0..<512).contains(choice.expert) {
                throw fail("expert \(choice.expert) of token \(token), expected 0 to 511")
            }
        }
    }

    /// The rows of an expert's blocks but the last: as equal as whole groups of eight allow.
    private static func blockRowCount(_ rowCount: Int, limit: Int) -> Int {
        let blockCount = rowCount.dividedRoundingUp(by: limit)
        return blockCount < 2 ? limit : min(limit, rowCount.dividedRoundingUp(by: blockCount).rounded(upTo: 8))
    }

    private static func blockList(_ experts: [(expert: Int, rowCount: Int)], limit: Int) -> [UInt32] {
        var blocks: [UInt32] = []
        var firstRow = 0
        for (expert, rowCount) in experts {
            let blockRowCount = Self.blockRowCount(rowCount, limit: limit)
            for start in stride(from: 0, to: rowCount, by: blockRowCount) {
                blocks += [UInt32(expert), UInt32(firstRow + start), UInt32(min(blockRowCount, rowCount - start)), 0]
            }
            firstRow += rowCount
        }
        return [UInt32(blocks.count / 4), 0, 0, 0] + blocks
    }
}

extension RoutedRows {
    /// Copies rows that were made on the host, and waits until they are there.
    ///
    /// - Throws: ``CUDA/CUDAError`` with code `outOfMemory`, or that of the call that failed.
    public init(_ rows: HostRoutedRows, on stream: Stream) throws(CUDAError) {
        func copy<Element>(_ elements: [Element]) throws(CUDAError) -> DeviceBuffer<Element> {
            let buffer = try DeviceBuffer<Element>(stream.context, count: elements.count)
            try stream.write(elements, to: buffer)
            return buffer
        }
        var lists: [DeviceBuffer<UInt32>] = []
        for list in rows.blockLists { lists.append(try copy(list)) }
        self.init(
            rowTokens: try copy(rows.rowTokens), rowWeights: try copy(rows.rowWeights),
            slotRows: try copy(rows.slotRows), offsets: try copy([]), blockLists: lists,
            blockRowCounts: rows.blockRowCounts, expertCount: (rows.experts.last ?? -1) + 1, topK: rows.topK,
            isComplete: !rows.slotRows.contains(.max), namedTokenCount: rows.tokenCount)
    }
}

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

    /// Sorts the choices of each token by expert; an expert that a token names twice gets the sum of its weights.
    ///
    /// - Parameters:
    ///   - choices: for each token at most `topK` experts, by non-negative indices.
    ///   - blockRowCounts: the most rows of a block in each list, at least 1.
    public init(_ choices: [[Choice]], topK: Int, blockRowCounts: [Int]) {
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
    }

    private static func blockList(_ experts: [(expert: Int, rowCount: Int)], limit: Int) -> [UInt32] {
        var blocks: [UInt32] = []
        var firstRow = 0
        for (expert, rowCount) in experts {
            for start in stride(from: 0, to: rowCount, by: limit) {
                blocks += [UInt32(expert), UInt32(firstRow + start), UInt32(min(limit, rowCount - start)), 0]
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
            slotRows: try copy(rows.slotRows), offsets: try copy([]), blockLists: lists)
    }
}

@testable import Kernels

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// One sequence's attention in double precision, token by token and straight from the definitions.
struct ReferenceAttention {
    let attention: Attention<[Float]>

    /// The prepared heads of a row: queries, keys and values.
    struct Heads {
        var queries: [[Double]]
        var keys: [[Double]]
        var values: [[Double]]
    }

    /// The outputs `[token][query head * head size]` of a whole sequence.
    func outputs(_ rows: [[Float]]) -> [[Double]] {
        let heads = rows.indices.map { prepared(rows[$0], position: $0) }
        return rows.indices.map { position in
            (0..<attention.queryHeadCount).flatMap { output(head: $0, position: position, heads) }
        }
    }

    func prepared(_ row: [Float], position: Int) -> Heads {
        let size = attention.headSize
        let heads = stride(from: 0, to: row.count, by: size).map { row[$0..<$0 + size].map { Double($0) } }
        let (queryCount, keyCount) = (attention.queryHeadCount, attention.keyValueHeadCount)
        var queryNorm: [Float] = []
        var keyNorm: [Float] = []
        if case .weightedBeforeRotation(let query, let key, _) = attention.headNorm {
            (queryNorm, keyNorm) = (query, key)
        }
        var queries = heads[..<queryCount].map { turned($0, weight: queryNorm, position: position) }
        if let temperature = attention.temperature {
            let steps = ((Double(position) + 1) / Double(temperature.floorScale)).rounded(.down)
            let factor = log(1 + steps) * Double(temperature.scale) + 1
            queries = queries.map { $0.map { $0 * factor } }
        }
        return Heads(
            queries: queries,
            keys: heads[queryCount..<queryCount + keyCount].map { turned($0, weight: keyNorm, position: position) },
            values: Array(heads[(queryCount + keyCount)...]))
    }

    private func turned(_ head: [Double], weight: [Float], position: Int) -> [Double] {
        var head = head
        if case .weightedBeforeRotation(_, _, let epsilon) = attention.headNorm {
            head = zip(normalized(head, epsilon), weight).map { $0 * Double($1) }
        }
        if let rotary = attention.rotary {
            for (pair, frequency) in rotary.inverseFrequencies.enumerated() {
                let (first, second) =
                    switch rotary.pairing {
                    case .interleaved: (2 * pair, 2 * pair + 1)
                    case .halfSplit: (pair, pair + attention.headSize / 2)
                    }
                let angle = Double(Float(position) * frequency)
                let (x, y) = (head[first], head[second])
                head[first] = (x * cos(angle) - y * sin(angle)) * Double(rotary.magnitude)
                head[second] = (x * sin(angle) + y * cos(angle)) * Double(rotary.magnitude)
            }
        }
        if case .unweightedAfterRotation(let epsilon) = attention.headNorm { head = normalized(head, epsilon) }
        return head
    }

    private func normalized(_ head: [Double], _ epsilon: Float) -> [Double] {
        let meanSquare = head.map { $0 * $0 }.reduce(0, +) / Double(head.count)
        return head.map { $0 / (meanSquare + Double(epsilon)).squareRoot() }
    }

    private func output(head: Int, position: Int, _ heads: [Heads]) -> [Double] {
        let keyHead = head / (attention.queryHeadCount / attention.keyValueHeadCount)
        let visible = (0...position).filter { isVisible(key: $0, query: position) }
        let query = heads[position].queries[head]
        let logits = visible.map { key in
            dot(query, heads[key].keys[keyHead]) * Double(attention.scale)
        }
        let sink = attention.sinks.map { Double($0[head]) }
        let largest = max(logits.max() ?? 0, sink ?? -.infinity)
        let weights = logits.map { exp($0 - largest) }
        let sum = weights.reduce(0, +) + (sink.map { exp($0 - largest) } ?? 0)
        var output = Array(repeating: 0.0, count: attention.headSize)
        for (weight, key) in zip(weights, visible) {
            let value = heads[key].values[keyHead]
            for element in output.indices { output[element] += weight * value[element] / sum }
        }
        return output
    }

    private func dot(_ left: [Double], _ right: [Double]) -> Double {
        var sum = 0.0
        for index in left.indices { sum += left[index] * right[index] }
        return sum
    }

    private func isVisible(key: Int, query: Int) -> Bool {
        switch attention.mask {
        case .causal: true
        case .slidingWindow(let window): query - key < window
        case .chunked(let chunk): key / chunk == query / chunk
        }
    }
}

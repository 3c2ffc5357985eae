#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The experts that router logits choose, and their weights.
struct ExpertSelection {
    /// The experts of each row by falling logit, `[T, topK]`.
    private(set) var experts: [Int32] = []
    /// Their weights, `[T, topK]`.
    private(set) var weights: [Float] = []

    /// Chooses the experts of all rows.
    ///
    /// Equal logits go to the lower index. NaN counts as lower than every number, so the choice is always the same; the
    /// weights become NaN where one is chosen, or takes part in a softmax.
    ///
    /// - Parameters:
    ///   - logits: `[T, E]`, with `topK` in `1...E`.
    ///   - rowStride: values from a row of logits to the next.
    mutating func choose(
        _ routing: Routing, logits: UnsafePointer<Float>, rowStride: Int, rowCount: Int, expertCount: Int,
        pool: ThreadPool
    ) {
        let topK = routing.topK
        experts.resize(to: rowCount * topK, with: 0)
        weights.resize(to: rowCount * topK, with: 0)
        experts.withUnsafeMutableBufferPointer { experts in
            weights.withUnsafeMutableBufferPointer { weights in
                guard let experts = experts.baseAddress, let weights = weights.baseAddress else { return }
                pool.runInRanges(rowCount, operationCount: rowCount * expertCount * 8) { rows in
                    for row in rows {
                        let logits = UnsafeBufferPointer(start: logits + row * rowStride, count: expertCount)
                        let experts = UnsafeMutableBufferPointer(start: experts + row * topK, count: topK)
                        let weights = UnsafeMutableBufferPointer(start: weights + row * topK, count: topK)
                        Self.chooseLargest(of: logits, into: experts)
                        for index in 0..<topK { weights[index] = logits[Int(experts[index])] }
                        Self.weigh(weights, by: routing.score, logits: logits)
                    }
                }
            }
        }
    }

    /// Insertion into a sorted list of the largest so far: a later one must be larger to pass an earlier one.
    private static func chooseLargest(
        of logits: UnsafeBufferPointer<Float>, into chosen: UnsafeMutableBufferPointer<Int32>
    ) {
        var count = 0
        for expert in logits.indices {
            let logit = logits[expert]
            if count == chosen.count {
                if !isGreater(logit, logits[Int(chosen[count - 1])]) { continue }
                count -= 1
            }
            var place = count
            while place > 0, isGreater(logit, logits[Int(chosen[place - 1])]) {
                chosen[place] = chosen[place - 1]
                place -= 1
            }
            chosen[place] = Int32(expert)
            count += 1
        }
    }

    private static func isGreater(_ left: Float, _ right: Float) -> Bool {
        left > right || (right.isNaN && !left.isNaN)
    }

    /// Turns the chosen logits, the largest first, into weights, in the order in which transformers rounds.
    private static func weigh(
        _ chosen: UnsafeMutableBufferPointer<Float>, by score: Routing.Score, logits: UnsafeBufferPointer<Float>
    ) {
        switch score {
        case .sigmoid:
            for index in chosen.indices { chosen[index] = 1 / (1 + exp(-chosen[index])) }
        case .softmaxOfSelected:
            let largest = chosen[0]
            softmax(chosen, largest: largest, sum: sum(UnsafeBufferPointer(chosen), largest: largest))
        case .softmax(let renormalized):
            let largest = chosen[0]
            softmax(chosen, largest: largest, sum: sum(logits, largest: largest))
            guard renormalized else { return }
            let chosenSum = chosen.reduce(0, +)
            for index in chosen.indices { chosen[index] /= chosenSum }
        }
    }

    private static func sum(_ logits: UnsafeBufferPointer<Float>, largest: Float) -> Float {
        SumOrder.softmaxSum(logits.lazy.map { exp($0 - largest) })
    }

    private static func softmax(_ chosen: UnsafeMutableBufferPointer<Float>, largest: Float, sum: Float) {
        let factor = 1 / sum
        for index in chosen.indices { chosen[index] = exp(chosen[index] - largest) * factor }
    }
}

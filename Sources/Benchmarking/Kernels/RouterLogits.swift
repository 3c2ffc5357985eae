import Kernels
import Models

/// Random router logits whose experts were last used long ago.
///
/// Every set chooses the same number of distinct experts; from one set to the next the experts are renamed so that those
/// are hit that were hit longest ago. So one after another the sets go through all experts, and none is read again
/// while a cache could hold it. A token's logits are distinct numbers that BF16 holds, so every device chooses the same
/// experts.
struct RouterLogits {
    /// Logits `[T, E]` of each set.
    let sets: [[Float]]
    /// The experts that a set chooses.
    let distinctExpertCount: Int

    /// Draws as many sets as it takes to use every expert, if there are that many.
    init(tokenCount: Int, expertCount: Int, topK: Int, using random: inout SplitMix64) {
        let values = Self.distinctValues(count: expertCount)
        let logits = (0..<tokenCount).flatMap { _ in values.shuffled(using: &random) }
        let selected = Set(
            (0..<tokenCount).flatMap { Self.largest(logits[$0 * expertCount..<($0 + 1) * expertCount], count: topK) })
        let order = selected.sorted() + (0..<expertCount).filter { !selected.contains($0) }
        // The experts of all sets, in the order of their use.
        var leastRecent = Array(0..<expertCount)
        leastRecent.shuffle(using: &random)
        sets = (0..<(expertCount + selected.count - 1) / selected.count).map { _ in
            var name = [Int](repeating: 0, count: expertCount)
            for (expert, renamed) in zip(order, leastRecent) { name[expert] = renamed }
            leastRecent = Array(leastRecent[selected.count...] + leastRecent[..<selected.count])
            var renamed = logits
            for index in logits.indices {
                renamed[index / expertCount * expertCount + name[index % expertCount]] = logits[index]
            }
            return renamed
        }
        distinctExpertCount = selected.count
    }

    /// The logits of a layer's benchmark.
    init(_ shape: LayerShape, tokenCount: Int, seed: UInt64) {
        var random = SplitMix64(seed: seed ^ 0x6C6F_6769_7473 &+ UInt64(tokenCount))
        self.init(
            tokenCount: tokenCount, expertCount: shape.expertCount, topK: shape.routing.topK, using: &random)
    }

    /// The BF16 numbers from 4 downwards.
    private static func distinctValues(count: Int) -> [Float] {
        (0..<count).map { Float(bitPattern: Float(4).bitPattern - UInt32($0) << 16) }
    }

    /// The experts that each token of a set chooses, by falling logit.
    static func choices(_ logits: [Float], _ shape: LayerShape) -> [[Int]] {
        stride(from: 0, to: logits.count, by: shape.expertCount).map {
            largest(logits[$0..<$0 + shape.expertCount], count: shape.routing.topK)
        }
    }

    /// The indices of the largest logits, by falling logit; equal ones by index.
    static func largest(_ logits: ArraySlice<Float>, count: Int) -> [Int] {
        let order = logits.indices.sorted { (-logits[$0], $0) < (-logits[$1], $1) }
        return order.prefix(count).map { $0 - logits.startIndex }
    }
}

import Models

/// Random router logits whose experts were last used long ago.
///
/// Every set chooses the same number of distinct experts; from one set to the next the experts are renamed so that those
/// are hit that were hit longest ago. So one after another the sets go through all experts, and none is read again
/// while a cache could hold it.
struct RouterLogits {
    /// Logits `[T, E]` of each set.
    let sets: [[Float]]
    /// The experts that a set chooses.
    let distinctExpertCount: Int

    /// Draws as many sets as it takes to use every expert, if there are that many.
    init(tokenCount: Int, expertCount: Int, topK: Int, using random: inout SplitMix64) {
        let logits = (0..<tokenCount * expertCount).map { _ in Float.random(in: -4...4, using: &random) }
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

    /// The indices of the largest logits, by falling logit; equal ones by index.
    static func largest(_ logits: ArraySlice<Float>, count: Int) -> [Int] {
        let order = logits.indices.sorted { (-logits[$0], $0) < (-logits[$1], $1) }
        return order.prefix(count).map { $0 - logits.startIndex }
    }
}

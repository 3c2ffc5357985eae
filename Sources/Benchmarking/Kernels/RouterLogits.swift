import Kernels
import Models

/// Random router logits whose experts were last used long ago.
///
/// Every set chooses the same number of distinct experts; from one set to the next the experts are renamed so that those
/// are hit that were hit longest ago, as far as their groups allow. So one after another the sets go through all experts,
/// and none is read again while a cache could hold it. A token's logits are distinct numbers that BF16 holds, so every
/// device chooses the same experts.
struct RouterLogits {
    /// Groups of neighbouring experts, of which only some take part in a token's choice.
    struct Groups: Sendable, Equatable {
        /// How many there are, and how many a token chooses from.
        let count: Int, chosenCount: Int

        /// All experts in one group.
        static let one = Groups(count: 1, chosenCount: 1)
    }

    /// Logits `[T, E]` of each set.
    let sets: [[Float]]
    /// The experts that a set chooses.
    let distinctExpertCount: Int

    /// Draws as many sets as it takes to use every expert, if there are that many.
    ///
    /// A token's experts are those with the largest logits, whether or not only the groups with the largest two take part:
    /// its groups have `topK / chosenCount` of them each, which should be two or more.
    init(
        tokenCount: Int, expertCount: Int, topK: Int, groups: Groups = .one, using random: inout SplitMix64
    ) {
        let logits = (0..<tokenCount).flatMap { _ in
            Self.draw(expertCount: expertCount, topK: topK, groups: groups, using: &random)
        }
        let selected = Set(
            (0..<tokenCount).flatMap { Self.largest(logits[$0 * expertCount..<($0 + 1) * expertCount], count: topK) })
        let members = Self.members(of: groups, expertCount: expertCount)
        // The experts of all sets, in the order of their use, group by group.
        var leastRecent = members.map { $0.shuffled(using: &random) }
        sets = (0..<(expertCount + selected.count - 1) / selected.count).map { _ in
            var name = [Int](repeating: 0, count: expertCount)
            for (group, renamed) in zip(members, members.indices.shuffled(using: &random)) {
                let chosen = group.filter { selected.contains($0) }
                let order = chosen + group.filter { !selected.contains($0) }
                for (expert, new) in zip(order, leastRecent[renamed]) { name[expert] = new }
                leastRecent[renamed] = Array(
                    leastRecent[renamed][chosen.count...] + leastRecent[renamed][..<chosen.count])
            }
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
            tokenCount: tokenCount, expertCount: shape.expertCount, topK: shape.routing.topK, groups: shape.groups,
            using: &random)
    }

    private static func members(of groups: Groups, expertCount: Int) -> [[Int]] {
        let size = expertCount / groups.count
        return (0..<groups.count).map { Array($0 * size..<($0 + 1) * size) }
    }

    /// The logits of a token: the largest ones in turns in the groups that it chooses.
    private static func draw(
        expertCount: Int, topK: Int, groups: Groups, using random: inout SplitMix64
    ) -> [Float] {
        let values = distinctValues(count: expertCount)
        guard groups.count > 1 else { return values.shuffled(using: &random) }
        let chosen = members(of: groups, expertCount: expertCount).shuffled(using: &random).prefix(groups.chosenCount)
            .map { $0.shuffled(using: &random) }
        let first = (0..<topK).map { chosen[$0 % chosen.count][$0 / chosen.count] }
        let rest = Set(0..<expertCount).subtracting(first).sorted().shuffled(using: &random)
        var logits = values
        for (expert, value) in zip(first + rest, values) { logits[expert] = value }
        return logits
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

import Models
import Testing

@testable import Benchmarking

@Suite struct RouterLogitsTests {
    private func experts(_ logits: [Float], expertCount: Int, topK: Int) -> Set<Int> {
        var experts: Set<Int> = []
        for row in 0..<logits.count / expertCount {
            experts.formUnion(RouterLogits.largest(logits[row * expertCount..<(row + 1) * expertCount], count: topK))
        }
        return experts
    }

    @Test(
        "sets choose the same number of experts, and together all of them before one is chosen again", arguments: 1...3)
    func leastRecentlyUsed(tokenCount: Int) {
        var random = SplitMix64(seed: 7)
        let logits = RouterLogits(tokenCount: tokenCount, expertCount: 32, topK: 4, using: &random)
        var used: Set<Int> = []
        for (index, set) in logits.sets.enumerated() {
            let chosen = experts(set, expertCount: 32, topK: 4)
            #expect(chosen.count == logits.distinctExpertCount)
            if index < logits.sets.count - 1 { #expect(used.isDisjoint(with: chosen)) }
            used.formUnion(chosen)
        }
        #expect(used.count == 32)
    }

    @Test("where experts are in groups, the best groups have the largest logits", arguments: [1, 5])
    func groups(tokenCount: Int) {
        let groups = LayerShape.deepSeekV3.groups
        var random = SplitMix64(seed: 3)
        let logits = RouterLogits(tokenCount: tokenCount, expertCount: 256, topK: 8, groups: groups, using: &random)
        let size = 256 / groups.count
        for set in logits.sets {
            #expect(experts(set, expertCount: 256, topK: 8).count == logits.distinctExpertCount)
            for row in 0..<tokenCount {
                let token = Array(set[row * 256..<(row + 1) * 256])
                let scores = (0..<groups.count).map { group in
                    token[group * size..<(group + 1) * size].sorted().suffix(2).reduce(0, +)
                }
                let best = Set(RouterLogits.largest(scores[...], count: groups.chosenCount))
                let grouped = token.indices.map { best.contains($0 / size) ? token[$0] : -1 }
                #expect(
                    RouterLogits.largest(grouped[...], count: 8)
                        == RouterLogits.largest(token[...], count: 8))
            }
        }
        #expect(Set(logits.sets).count == logits.sets.count)
    }

    @Test("a token's logits are distinct numbers of BF16", arguments: [8, 512, 4096])
    func values(expertCount: Int) {
        var random = SplitMix64(seed: 1)
        let logits = RouterLogits(tokenCount: 2, expertCount: expertCount, topK: 1, using: &random).sets[0]
        for token in [logits.prefix(expertCount), logits.suffix(expertCount)] {
            #expect(Set(token).count == expertCount)
            #expect(token.allSatisfy { $0.isNormal && $0.bitPattern & 0xFFFF == 0 })
        }
    }

    @Test("the largest logits come first, equal ones by index")
    func largest() {
        #expect(RouterLogits.largest([9, 1, 3, 3, 2][1...], count: 3) == [1, 2, 3])
    }
}

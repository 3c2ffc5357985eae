internal import CUDA

extension Route {
    /// How the tokens of a launch are divided among blocks.
    struct Plan: Equatable {
        var tokensPerBlock: Int
        var blockCount: Int
        var threadCount: Int
        var isCluster: Bool

        /// Dynamic shared memory: masks, weights, bits before each mask, experts.
        func sharedByteCount(_ route: Route) -> Int {
            tokensPerBlock.dividedRoundingUp(by: 32) * route.expertCount * 6 + tokensPerBlock * route.topK * 6
        }
    }

    /// The tokens that one block routes as fast as several.
    private static let blockTokenCount = 8
    /// The blocks of a cluster, and the tokens of each: a warp has one.
    private static let clusterSize = 8
    private static let clusterBlockTokenCount = 32
    /// The tokens of a block at most: it has a mask bit for each.
    static let largestBlockTokenCount = 1024

    /// The division of so many tokens.
    func plan(tokenCount: Int, multiprocessorCount: Int, hasClusters: Bool) -> Plan {
        // Three warps add up where experts begin.
        func threads(_ tokensPerBlock: Int) -> Int { min(threadCount, max(4, tokensPerBlock) * 32) }
        if tokenCount <= Self.blockTokenCount {
            return Plan(
                tokensPerBlock: max(1, tokenCount), blockCount: 1, threadCount: threads(tokenCount), isCluster: false)
        }
        if hasClusters, tokenCount <= Self.clusterSize * Self.clusterBlockTokenCount {
            let tokensPerBlock = tokenCount.dividedRoundingUp(by: Self.clusterSize)
            return Plan(
                tokensPerBlock: tokensPerBlock, blockCount: tokenCount.dividedRoundingUp(by: tokensPerBlock),
                threadCount: threads(tokensPerBlock), isCluster: true)
        }
        let tokensPerBlock = max(32, tokenCount.dividedRoundingUp(by: multiprocessorCount))
        return Plan(
            tokensPerBlock: tokensPerBlock, blockCount: tokenCount.dividedRoundingUp(by: tokensPerBlock),
            threadCount: threadCount, isCluster: false)
    }
}

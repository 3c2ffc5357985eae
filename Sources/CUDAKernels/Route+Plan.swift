internal import CUDA

extension Route {
    /// How the tokens of a launch are divided among blocks.
    struct Plan: Equatable {
        /// How blocks know of each other's rows.
        enum Exchange: Equatable {
            /// There is one block.
            case none
            /// They are a cluster and write to each other's shared memory.
            case cluster
            /// Through global memory.
            case memory
        }

        var exchange: Exchange
        var tokensPerBlock: Int
        var blockCount: Int
        var threadCount: Int
    }

    /// The tokens that one block routes faster than several.
    private static let singleBlockTokenCount = 16
    /// The blocks of a cluster, and the tokens up to which it is faster than blocks all over the GPU.
    private static let clusterSize = 8
    private static let clusterTokenCount = 64
    /// The tokens of each of many blocks at least.
    private static let smallestBlockTokenCount = 16
    /// The tokens of a launch at most: sums of rows have 16 bits, with 1 added for each block.
    static let largestTokenCount = 65280

    /// The division of so many tokens.
    func plan(tokenCount: Int, multiprocessorCount: Int, hasClusters: Bool) -> Plan {
        func plan(_ exchange: Plan.Exchange, _ tokensPerBlock: Int, _ threadCount: Int) -> Plan {
            Plan(
                exchange: exchange, tokensPerBlock: tokensPerBlock,
                blockCount: max(1, tokenCount.dividedRoundingUp(by: tokensPerBlock)), threadCount: threadCount)
        }
        // A warp a token, two more that write lists at the same time, and an even number, since there are two lists.
        func threads(_ tokensPerBlock: Int) -> Int { min(threadCount, 64 * max(2, (tokensPerBlock + 3) / 2)) }
        if tokenCount <= Self.singleBlockTokenCount {
            return plan(.none, max(1, tokenCount), threads(tokenCount))
        }
        if hasClusters, tokenCount <= Self.clusterTokenCount {
            let tokensPerBlock = tokenCount.dividedRoundingUp(by: Self.clusterSize)
            return plan(.cluster, tokensPerBlock, threads(tokensPerBlock))
        }
        let tokensPerBlock = max(
            Self.smallestBlockTokenCount, tokenCount.dividedRoundingUp(by: multiprocessorCount))
        return plan(.memory, tokensPerBlock, threadCount)
    }

    /// A word or a count for each expert, and what makes the lanes of a warp have equally many.
    private var paddedExpertCount: Int { expertCount.dividedRoundingUp(by: 32) * 32 }
    /// Counts of a block in global memory, in vectors of eight.
    private var countVectorCount: Int { expertCount.dividedRoundingUp(by: 8) }

    /// Counts in global memory: of two launches in turns, for so many blocks.
    func countCount(blockCount: Int) -> Int { 2 * blockCount * 8 * countVectorCount }

    /// Dynamic shared memory of a block: parts of sums, masks, weights and experts.
    func sharedByteCount(_ plan: Plan) -> Int {
        let groupCount = min(32, 512 / countVectorCount)
        let parts = plan.exchange == .memory && plan.blockCount > 1 ? 2 * 16 * groupCount * countVectorCount : 0
        let maskRowCount = plan.exchange == .cluster ? plan.blockCount : plan.tokensPerBlock.dividedRoundingUp(by: 32)
        return parts + maskRowCount * paddedExpertCount * 4 + plan.tokensPerBlock * topK * 6
    }
}

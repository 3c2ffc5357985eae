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

    // Measured on an H100 with 128 experts and top-8, where the choice takes longest.

    /// The tokens that one block routes faster than several.
    private static let singleBlockTokenCount = 16
    /// The tokens that a cluster of four routes faster than one of eight, which is faster up to the second number.
    private static let clusterTokenCounts = (four: 32, eight: 64)
    /// The tokens of each of many blocks at least, and up to how many tokens in all that is so.
    private static let smallBlock = (tokenCount: 8, limit: 256)
    private static let largeBlockTokenCount = 16
    /// The tokens of a launch at most: sums of rows have 16 bits, with 1 added for each block.
    static let largestTokenCount = 65280

    /// The division of so many tokens.
    func plan(tokenCount: Int, multiprocessorCount: Int, hasClusters: Bool) -> Plan {
        func plan(_ exchange: Plan.Exchange, _ tokensPerBlock: Int, _ threadCount: Int) -> Plan {
            Plan(
                exchange: exchange, tokensPerBlock: tokensPerBlock,
                blockCount: max(1, tokenCount.dividedRoundingUp(by: tokensPerBlock)), threadCount: threadCount)
        }
        // A warp a token, and an even number, since there are two lists.
        func threads(_ tokensPerBlock: Int) -> Int { min(threadCount, 64 * max(2, (tokensPerBlock + 1) / 2)) }
        if tokenCount <= Self.singleBlockTokenCount {
            // Two warps without a token write the lists at the same time.
            return plan(.none, max(1, tokenCount), threads(tokenCount + 2))
        }
        if hasClusters, tokenCount <= Self.clusterTokenCounts.eight {
            let clusterSize = tokenCount <= Self.clusterTokenCounts.four ? 4 : 8
            let tokensPerBlock = tokenCount.dividedRoundingUp(by: clusterSize)
            return plan(.cluster, tokensPerBlock, threads(tokensPerBlock))
        }
        let least = tokenCount <= Self.smallBlock.limit ? Self.smallBlock.tokenCount : Self.largeBlockTokenCount
        return plan(
            .memory, max(least, tokenCount.dividedRoundingUp(by: multiprocessorCount)), threadCount)
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
        return parts + choiceByteCount(maskRowCount: maskRowCount, tokenCount: plan.tokensPerBlock)
    }

    /// The choices of a block's tokens, of which the masks of 32 tokens each are a row.
    func choiceByteCount(maskRowCount: Int, tokenCount: Int) -> Int {
        maskRowCount * paddedExpertCount * 4 + tokenCount * topK * 6
    }
}

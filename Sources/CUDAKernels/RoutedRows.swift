public import CUDA

/// What routing leaves in a GPU's memory: rows, one for each token and expert of it, sorted by expert, then by token.
public struct RoutedRows: Sendable {
    /// The token of each row, `[T * topK]`.
    public let rowTokens: DeviceBuffer<UInt32>
    /// The router weight of each row, `[T * topK]`.
    public let rowWeights: DeviceBuffer<Float>
    /// The row of each token's experts, in the order in which they were chosen, `[T, topK]`.
    public let slotRows: DeviceBuffer<UInt32>
    /// Where the rows of each expert begin, and at last where they end, `[E + 1]`.
    public let offsets: DeviceBuffer<UInt32>
    /// `RowBlockList` of `common/moe.cuh`, one for each limit of ``Route/blockRowCounts``.
    ///
    /// Four words, of which the first is the number of blocks, then four words a block: expert, first row, number of
    /// rows, and one that is unused. Their size is ``Route/blockListWordCount(tokenCount:limit:)``.
    public let blockLists: [DeviceBuffer<UInt32>]

    /// Rows in memory that the caller has.
    public init(
        rowTokens: DeviceBuffer<UInt32>, rowWeights: DeviceBuffer<Float>, slotRows: DeviceBuffer<UInt32>,
        offsets: DeviceBuffer<UInt32>, blockLists: [DeviceBuffer<UInt32>]
    ) {
        self.rowTokens = rowTokens
        self.rowWeights = rowWeights
        self.slotRows = slotRows
        self.offsets = offsets
        self.blockLists = blockLists
    }

    /// Allocates memory for the rows of up to `tokenCount` tokens.
    ///
    /// - Throws: ``CUDA/CUDAError`` with code `outOfMemory`, or `invalidArgument` for an immense count.
    public init(_ context: Context, _ route: Route, tokenCount: Int) throws(CUDAError) {
        let rowCount = try route.rowCount(tokenCount: tokenCount)
        rowTokens = try DeviceBuffer(context, count: rowCount)
        rowWeights = try DeviceBuffer(context, count: rowCount)
        slotRows = try DeviceBuffer(context, count: rowCount)
        offsets = try DeviceBuffer(context, count: route.expertCount + 1)
        var lists: [DeviceBuffer<UInt32>] = []
        for limit in route.blockRowCounts {
            let count = try route.blockListWordCount(tokenCount: tokenCount, limit: limit)
            lists.append(try DeviceBuffer(context, count: count))
        }
        blockLists = lists
    }
}

extension Route {
    /// The rows of so many tokens.
    ///
    /// - Throws: ``CUDA/CUDAError`` with code `invalidArgument` if rows or tokens cannot be counted in 32 bits.
    public func rowCount(tokenCount: Int) throws(CUDAError) -> Int {
        guard 0...Int(Int32.max) / topK ~= tokenCount else {
            throw CUDAError(
                .invalidArgument, "route: \(tokenCount) tokens, expected 0 to \(Int(Int32.max) / topK)")
        }
        return tokenCount * topK
    }

    /// The words of a list of row blocks, for the worst division of so many tokens among the experts.
    ///
    /// - Throws: ``CUDA/CUDAError`` with code `invalidArgument` as ``rowCount(tokenCount:)``.
    public func blockListWordCount(tokenCount: Int, limit: Int) throws(CUDAError) -> Int {
        let rowCount = try rowCount(tokenCount: tokenCount)
        // Every expert hit has at most one block that is not full.
        return 4 + 4 * (rowCount / limit + min(rowCount, expertCount))
    }
}

public import CUDA

/// What routing leaves in a GPU's memory: rows, one for each token and expert of it, sorted by expert, then by token.
///
/// A layer refuses buffers and limits that do not fit, but what the buffers hold only the GPU knows. Whoever fills them has
/// to keep to this, or kernels read and write beyond their memory: rows, tokens and experts are below their numbers; rows of one expert
/// name distinct tokens, rising; the blocks of a list are in the order of the rows and have every row once; and an expert
/// has as few blocks as hold its rows, since a layer has memory for no more blocks than ``Route`` makes.
public struct RoutedRows: Sendable {
    /// The token of each row, `[T * topK]`.
    public let rowTokens: DeviceBuffer<UInt32>
    /// The router weight of each row, `[T * topK]`.
    public let rowWeights: DeviceBuffer<Float>
    /// The row of each token's experts, in the order in which they were chosen, `[T, topK]`.
    public let slotRows: DeviceBuffer<UInt32>
    /// Where the rows of each expert begin, and at the end how many rows there are, `[E + 1]`.
    public let offsets: DeviceBuffer<UInt32>
    /// `RowBlockList` of `common/moe.cuh`, one for each limit of ``Route/blockRowCounts``.
    ///
    /// Four words, of which the first is the number of blocks, then four words a block: expert, first row, number of
    /// rows, and one that is unused. Their size is ``Route/blockListWordCount(tokenCount:limit:)``.
    public let blockLists: [DeviceBuffer<UInt32>]
    /// The rows of a block in each list, at most: kernels rely on it, so a layer refuses lists with larger blocks than its
    /// kernels have.
    public let blockRowCounts: [Int]
    /// The experts that blocks name are below this.
    public let expertCount: Int
    /// The rows of a token at most, and the entries that each has in ``slotRows``.
    public let topK: Int
    /// Whether every token has ``topK`` rows; if not, a layer first writes the residual, or zeros, to the output of all.
    public let isComplete: Bool
    /// The tokens that rows name are below this; nil if only the GPU knows.
    let namedTokenCount: Int?

    /// Rows in memory that the caller has, and what they hold at most.
    public init(
        rowTokens: DeviceBuffer<UInt32>, rowWeights: DeviceBuffer<Float>, slotRows: DeviceBuffer<UInt32>,
        offsets: DeviceBuffer<UInt32>, blockLists: [DeviceBuffer<UInt32>], blockRowCounts: [Int], expertCount: Int,
        topK: Int, isComplete: Bool
    ) {
        self.init(
            rowTokens: rowTokens, rowWeights: rowWeights, slotRows: slotRows, offsets: offsets, blockLists: blockLists,
            blockRowCounts: blockRowCounts, expertCount: expertCount, topK: topK, isComplete: isComplete,
            namedTokenCount: nil)
    }

    init(
        rowTokens: DeviceBuffer<UInt32>, rowWeights: DeviceBuffer<Float>, slotRows: DeviceBuffer<UInt32>,
        offsets: DeviceBuffer<UInt32>, blockLists: [DeviceBuffer<UInt32>], blockRowCounts: [Int], expertCount: Int,
        topK: Int, isComplete: Bool, namedTokenCount: Int?
    ) {
        self.rowTokens = rowTokens
        self.rowWeights = rowWeights
        self.slotRows = slotRows
        self.offsets = offsets
        self.blockLists = blockLists
        self.blockRowCounts = blockRowCounts
        self.expertCount = expertCount
        self.topK = topK
        self.isComplete = isComplete
        self.namedTokenCount = namedTokenCount
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
        blockRowCounts = route.blockRowCounts
        expertCount = route.expertCount
        topK = route.topK
        isComplete = true
        namedTokenCount = nil
    }

    /// The same memory, for lists of blocks of other sizes that have room in it.
    func with(blockRowCounts: [Int]) -> RoutedRows {
        RoutedRows(
            rowTokens: rowTokens, rowWeights: rowWeights, slotRows: slotRows, offsets: offsets, blockLists: blockLists,
            blockRowCounts: blockRowCounts, expertCount: expertCount, topK: topK, isComplete: isComplete,
            namedTokenCount: namedTokenCount)
    }
}

extension RoutedRows {
    /// Refuses rows whose lists a layer's kernels would read or write beyond their memory with.
    ///
    /// - Parameter backend: what reads them; only the grouped product reads the second list.
    /// - Throws: ``CUDA/CUDAError`` with code `invalidArgument`.
    func check(
        for configuration: MoEConfiguration, tokenCount: Int, backend: MoEBackend
    ) throws(CUDAError) {
        func fail(_ message: String) -> CUDAError { CUDAError(.invalidArgument, "MoE layer: \(message)") }
        guard blockLists.count == 2, blockRowCounts.count == 2 else {
            throw fail("\(blockLists.count) lists of row blocks, expected 2")
        }
        guard 1...MoEStream.largestExpertRowCount ~= blockRowCounts[0] else {
            throw fail(
                "row blocks of \(blockRowCounts[0]) rows in the first list, expected 1 to "
                    + "\(MoEStream.largestExpertRowCount)")
        }
        let rowCounts = configuration.groupedRowCounts
        guard backend == .latency || rowCounts.contains(blockRowCounts[1]) else {
            throw fail("row blocks of \(blockRowCounts[1]) rows in the second list, expected one of \(rowCounts)")
        }
        guard expertCount <= configuration.expertCount else {
            throw fail("rows of up to \(expertCount) experts, expected \(configuration.expertCount)")
        }
        guard topK == configuration.topK else { throw fail("rows of top-\(topK), expected top-\(configuration.topK)") }
        if let namedTokenCount, namedTokenCount != tokenCount {
            throw fail("rows of \(namedTokenCount) tokens, expected \(tokenCount)")
        }
        guard slotRows.count >= tokenCount * configuration.topK else {
            throw fail("\(slotRows.count) experts of tokens, expected \(tokenCount * configuration.topK)")
        }
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

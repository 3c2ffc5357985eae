public import CUDA

/// Which tokens each expert computes, in a GPU's memory, as the expert kernels read it (`common/moe.cuh`).
///
/// A row is one token of one expert. Rows are sorted by expert, and by token within an expert; blocks are runs of rows of
/// one expert.
public struct ExpertRows: Sendable {
    /// The most rows of a block.
    let blockRowCount: Int
    /// `RowBlockList`: the number of blocks and three unused words, then four words for each block.
    let list: DeviceBuffer<UInt32>
    /// The token of each row.
    let tokens: DeviceBuffer<UInt32>
    /// The router weight of each row.
    let weights: DeviceBuffer<Float>

    /// Copies rows that were made on the host, and waits until they are there.
    ///
    /// - Throws: ``CUDA/CUDAError`` with code `outOfMemory`, or that of the call that failed.
    public init(_ rows: HostExpertRows, on stream: Stream) throws(CUDAError) {
        blockRowCount = rows.blockRowCount
        list = try DeviceBuffer(stream.context, count: rows.list.count)
        tokens = try DeviceBuffer(stream.context, count: rows.tokens.count)
        weights = try DeviceBuffer(stream.context, count: rows.weights.count)
        try stream.write(rows.list, to: list)
        try stream.write(rows.tokens, to: tokens)
        try stream.write(rows.weights, to: weights)
    }

    /// Rows that a ``Router`` leaves, in the first of its lists.
    init(_ rows: RoutedRows, blockRowCount: Int) {
        self.blockRowCount = blockRowCount
        list = rows.blockLists[0]
        tokens = rows.rowTokens
        weights = rows.rowWeights
    }
}

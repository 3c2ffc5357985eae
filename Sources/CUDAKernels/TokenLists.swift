internal import CUDA

/// For each number of tokens a list of row blocks that has every token once, in order: what a linear layer and a shared
/// expert take.
struct TokenLists: Sendable {
    private let words: DeviceBuffer<UInt32>
    private let listWordCount: Int

    /// Makes the lists for 1 to `tokenCount` tokens.
    init(_ tokenCount: Int, expert: Int, blockRowCount: Int, on stream: Stream) throws(CUDAError) {
        listWordCount = 4 * (1 + tokenCount.dividedRoundingUp(by: blockRowCount))
        words = try DeviceBuffer(stream.context, count: tokenCount * listWordCount)
        var lists: [UInt32] = []
        for count in 1...tokenCount {
            let choice = [HostExpertRows.Choice(expert: expert, weight: 1)]
            let rows = HostExpertRows(
                [[HostExpertRows.Choice]](repeating: choice, count: count), blockRowCount: blockRowCount)
            lists += rows.list + [UInt32](repeating: 0, count: listWordCount - rows.list.count)
        }
        try stream.write(lists, to: words)
    }

    /// The rows of so many tokens, whose weights are 1.
    func routing(tokenCount: Int) -> MoEStream.Routing {
        MoEStream.Routing(list: words.address + UInt64(4 * (tokenCount - 1) * listWordCount))
    }
}

internal import CUDA

/// For each number of tokens a list of row blocks that has every token once, in order: what a linear layer and a shared
/// expert take.
struct TokenLists: Sendable {
    private let words: DeviceBuffer<UInt32>
    private let listWordCount: Int
    private let blockRowCount: Int

    /// Makes the lists for 1 to `tokenCount` tokens.
    init(_ tokenCount: Int, expert: Int, blockRowCount: Int, on stream: Stream) throws(CUDAError) {
        self.blockRowCount = blockRowCount
        listWordCount = 4 * (1 + tokenCount.dividedRoundingUp(by: blockRowCount))
        words = try DeviceBuffer(stream.context, count: tokenCount * listWordCount)
        var lists = [UInt32](repeating: 0, count: words.count)
        for count in 1...max(1, tokenCount) {
            let list = (count - 1) * listWordCount
            let blockCount = count.dividedRoundingUp(by: blockRowCount)
            lists[list] = UInt32(blockCount)
            for block in 0..<blockCount {
                let word = list + 4 * (1 + block)
                let firstRow = block * blockRowCount
                lists[word] = UInt32(expert)
                lists[word + 1] = UInt32(firstRow)
                lists[word + 2] = UInt32(min(blockRowCount, count - firstRow))
            }
        }
        try stream.write(lists, to: words)
    }

    /// The rows of so many tokens, whose weights are 1.
    func routing(tokenCount: Int) -> RoutingArgument {
        RoutingArgument(list: words.address + UInt64(4 * (tokenCount - 1) * listWordCount))
    }
}

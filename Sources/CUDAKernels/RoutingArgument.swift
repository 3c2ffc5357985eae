internal import CUDA

/// `Routing` of `common/moe.cuh`, as the expert kernels take it: a list of row blocks, the token and the weight of each row.
struct RoutingArgument: BitwiseCopyable {
    var list: UInt64
    /// 0: row r is token r.
    var rowTokens: UInt64 = 0
    /// 0: all weights are 1.
    var rowWeights: UInt64 = 0

    init(list: UInt64) { self.list = list }

    /// The same list, with other tokens and weights of its rows.
    func with(rowTokens: UInt64, rowWeights: UInt64) -> RoutingArgument {
        var routing = self
        (routing.rowTokens, routing.rowWeights) = (rowTokens, rowWeights)
        return routing
    }

    /// The rows in one of the lists.
    init(_ rows: RoutedRows, list index: Int) {
        list = rows.blockLists[index].address
        rowTokens = rows.rowTokens.address
        rowWeights = rows.rowWeights.address
    }
}

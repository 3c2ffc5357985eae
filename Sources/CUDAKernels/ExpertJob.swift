internal import CUDA

/// What a layer is to compute in one launch; the sizes have been checked.
struct ExpertJob {
    let tokenCount: Int
    let weights: MoEWeights
    let input: DeviceBuffer<UInt16>
    let rows: RoutedRows
    /// What the experts' kernel routes by itself; nil if the rows are known.
    let unrouted: Logits?
    /// Whether the rows were complete before the kernel before this one began.
    let routingIsEarly: Bool
    let residual: DeviceBuffer<UInt16>?
    let output: DeviceBuffer<UInt16>

    /// The logits of a router, as kernels take them.
    struct Logits {
        let address: UInt64
        /// 0: none.
        let biases: UInt64
        let factor: Float
    }

    /// The rows of a block in the list for the grouped product.
    var groupedRowCount: Int { rows.blockRowCounts.last ?? 0 }
    var streamedRouting: RoutingArgument { RoutingArgument(rows, list: 0) }
    var groupedRouting: RoutingArgument { RoutingArgument(rows, list: 1) }
}

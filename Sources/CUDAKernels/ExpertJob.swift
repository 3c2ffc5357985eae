internal import CUDA

/// What a layer is to compute in one launch; the sizes have been checked.
struct ExpertJob {
    let tokenCount: Int
    let weights: MoEWeights
    let input: DeviceBuffer<UInt16>
    let rows: RoutedRows
    /// The rows of a block in the list for the grouped product.
    let groupedRowCount: Int
    /// Whether the rows were complete before the kernel before this one began.
    let routingIsEarly: Bool
    let residual: DeviceBuffer<UInt16>?
    let output: DeviceBuffer<UInt16>

    var streamedRouting: RoutingArgument { RoutingArgument(rows, list: 0) }
    var groupedRouting: RoutingArgument { RoutingArgument(rows, list: 1) }
}

public import CUDA
internal import Kernels

/// Memory that layers of one configuration use while they run, one after another in one stream.
public final class MoEWorkspace: Sendable {
    /// The layers that it is for.
    public let configuration: MoEConfiguration
    /// What this layer's kernels share with others.
    public let streaming: StreamWorkspace

    let routing: RouteWorkspace
    /// What routing leaves.
    let rows: RoutedRows
    /// For each backend that the layers use.
    let streamed: StreamedExperts.Memory?
    let grouped: GroupedExperts.Memory?
    /// What W4A4 needs besides.
    let quantized: QuantizedExperts.Memory?

    /// The bytes of GPU memory that a workspace takes, besides the part that it shares.
    ///
    /// - Throws: ``CUDA/CUDAError`` with code `unsupported` for sizes that no kernel has.
    public static func byteCount(for configuration: MoEConfiguration, on device: Device) throws(CUDAError) -> Int {
        try configuration.check()
        let resolution = try MoEResolution(configuration, on: device)
        let route = try configuration.route(groupedRowCount: MoEGemm.rowCounts.few)
        var wordCount = 3 * configuration.maximumRowCount + configuration.expertCount + 1
        for limit in route.blockRowCounts {
            wordCount += try route.blockListWordCount(tokenCount: configuration.maximumTokenCount, limit: limit)
        }
        return 4 * wordCount + RouteWorkspace.byteCount(for: route, on: device)
            + (resolution.uses(.latency) ? StreamedExperts.Memory.byteCount(for: configuration) : 0)
            + (resolution.uses(.throughput) ? GroupedExperts.Memory.byteCount(for: configuration, on: device) : 0)
            + QuantizedExperts.Memory.byteCount(for: configuration, resolution, on: device)
    }

    /// Allocates and clears a workspace; what is put into the stream afterwards may use it.
    ///
    /// - Parameter streaming: shared with other layers of the stream; nil for one of its own.
    /// - Throws: ``CUDA/CUDAError`` with code `outOfMemory`, or `unsupported` for sizes that no kernel has.
    public init(
        _ configuration: MoEConfiguration, sharing streaming: StreamWorkspace? = nil, on stream: Stream
    ) throws(CUDAError) {
        try configuration.check()
        let resolution = try MoEResolution(configuration, on: stream.context.device)
        self.configuration = configuration
        if let streaming { self.streaming = streaming } else { self.streaming = try StreamWorkspace(on: stream) }
        // Smaller blocks are more: the lists have room for either.
        let route = try configuration.route(groupedRowCount: MoEGemm.rowCounts.few)
        rows = try RoutedRows(stream.context, route, tokenCount: configuration.maximumTokenCount)
        routing = try RouteWorkspace(for: route, on: stream)
        streamed = resolution.uses(.latency) ? try StreamedExperts.Memory(configuration, on: stream) : nil
        grouped = resolution.uses(.throughput) ? try GroupedExperts.Memory(configuration, on: stream) : nil
        quantized =
            configuration.activationPrecision == .nvfp4
            ? try QuantizedExperts.Memory(configuration, resolution, stream.context) : nil
    }
}

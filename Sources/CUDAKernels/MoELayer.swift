public import CUDA
internal import Kernels

/// A layer of FP4 experts on a GPU.
///
/// Nothing is allocated and nothing is waited for after ``init(_:weights:loader:backend:)``, so a launch can be captured in
/// a graph, at any number of tokens up to the configured maximum. Rows of activations are BF16, with
/// ``MoEConfiguration/rowPitch`` elements.
public final class MoELayer: Sendable {
    /// What the layer computes.
    public let configuration: MoEConfiguration
    /// Which kernel computes which numbers of tokens.
    public let resolution: MoEResolution
    /// The experts.
    public let weights: MoEWeights

    /// By rising numbers of tokens.
    private let streaming: [StreamEntry]

    /// Chooses the kernels and loads them; those that were never compiled on this machine take about a second each.
    ///
    /// - Parameters:
    ///   - configuration: the layer; that of the weights, except for the number of tokens.
    ///   - weights: the experts, on the loader's GPU.
    ///   - loader: the GPU and its kernels.
    ///   - backend: which kernels to use.
    /// - Throws: ``CUDAError`` with code `unsupported` and the reason if no kernel that the backend allows can compute the
    ///   layer on this GPU, or that of the compiler or the driver.
    public init(
        _ configuration: MoEConfiguration, weights: MoEWeights, loader: KernelLoader, backend: MoEBackend = .auto
    ) throws(CUDAError) {
        try configuration.check()
        var stored = weights.configuration
        stored.maximumTokenCount = configuration.maximumTokenCount
        guard stored == configuration else {
            throw CUDAError(.invalidArgument, "MoE layer: weights of another configuration")
        }
        let candidates = MoEStream.kernels(
            for: configuration.shape, maximumTokenCount: configuration.maximumTokenCount, on: loader.context.device)
        resolution = try MoEResolution(configuration, backend, streaming: candidates, on: loader.context.device)
        streaming = try StreamEntry.load(candidates, loader)
        self.configuration = configuration
        self.weights = weights
    }

    /// The most rows of a block in the ``ExpertRows`` of a launch.
    public func blockRowCount(tokenCount: Int) -> Int { entry(tokenCount)?.stream.rowCount ?? 1 }

    /// Queues the experts of some tokens: `output[t] = residual[t] + Σ weight · expert(x[t])`.
    ///
    /// The kernel begins while the one before it in the stream ends.
    ///
    /// - Parameters:
    ///   - input: `[T, row pitch]`, BF16, zero beyond `H`.
    ///   - rows: the tokens of each expert, in blocks of at most ``blockRowCount(tokenCount:)`` rows.
    ///   - routingIsEarly: whether `rows` was complete before the kernel before this one began; the first weights are then
    ///     fetched while that kernel runs.
    ///   - residual: `[T, row pitch]`, BF16, added; may be the output. Nil for none.
    ///   - output: `[T, row pitch]`, BF16; every element is written.
    ///   - workspace: of this configuration; no other stream uses it meanwhile.
    /// - Throws: ``CUDAError`` with code `invalidArgument` before anything is queued if sizes do not fit, or that of the
    ///   launch.
    public func enqueue(
        tokenCount: Int, input: DeviceBuffer<UInt16>, rows: ExpertRows, routingIsEarly: Bool = false,
        residual: DeviceBuffer<UInt16>? = nil, output: DeviceBuffer<UInt16>, workspace: MoEWorkspace, on stream: Stream
    ) throws(CUDAError) {
        guard tokenCount != 0 else { return }
        guard let entry = entry(tokenCount) else {
            throw CUDAError(
                .invalidArgument,
                "MoE layer: \(tokenCount) tokens, expected 0 to \(configuration.maximumTokenCount)")
        }
        let pitch = configuration.rowPitch
        try input.checkRows(tokenCount, pitch: pitch, "MoE layer: input")
        try output.checkRows(tokenCount, pitch: pitch, "MoE layer: output")
        try residual?.checkRows(tokenCount, pitch: pitch, "MoE layer: residual")
        try check(rows, workspace, entry.stream)
        var arguments = MoEStream.Arguments(
            routing: MoEStream.Routing(
                list: rows.list.address, rowTokens: rows.tokens.address, rowWeights: rows.weights.address),
            down: MoEStream.Operands(weights.down, workspace.hidden, pitch: configuration.shape.hiddenPitch),
            output: output.address, partials: workspace.streaming.partials.address,
            state: workspace.streaming.state.address,
            tokenCount: UInt32(tokenCount))
        arguments.up = MoEStream.Operands(weights.up, input, pitch: pitch)
        arguments.hidden = workspace.hidden.address
        arguments.residual = residual?.address ?? 0
        arguments.upScales = weights.upScales.address
        arguments.downScales = weights.downScales.address
        arguments.upBiases = configuration.hasBiases ? weights.upBiases.address : 0
        arguments.downBiases = configuration.hasBiases ? weights.downBiases.address : 0
        (arguments.limit, arguments.slope) = configuration.activation.constants
        arguments.routingIsEarly = routingIsEarly ? 1 : 0
        arguments.weightsRowsOnInput = configuration.routing.weightPlacement == .input ? 1 : 0
        try stream.launch(entry.kernel, entry.launch, arguments)
    }

    private func entry(_ tokenCount: Int) -> StreamEntry? {
        guard 1...configuration.maximumTokenCount ~= tokenCount else { return nil }
        return streaming.first { $0.stream.tokenCount >= tokenCount }
    }

    private func check(_ rows: ExpertRows, _ workspace: MoEWorkspace, _ stream: MoEStream) throws(CUDAError) {
        guard workspace.configuration == configuration else {
            throw CUDAError(.invalidArgument, "MoE layer: a workspace of another configuration")
        }
        guard rows.blockRowCount <= stream.rowCount else {
            throw CUDAError(
                .invalidArgument,
                "MoE layer: blocks of up to \(rows.blockRowCount) rows, expected at most \(stream.rowCount)")
        }
        guard rows.rowCount <= configuration.maximumRowCount else {
            throw CUDAError(
                .invalidArgument,
                "MoE layer: \(rows.rowCount) rows, expected at most \(configuration.maximumRowCount)")
        }
    }
}

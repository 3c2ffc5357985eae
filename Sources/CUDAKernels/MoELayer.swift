public import CUDA
internal import Kernels

/// A layer of FP4 experts on a GPU: routing, both products with the activation between them, and the weighted sum.
///
/// Nothing is allocated and nothing is waited for after ``init(_:weights:loader:backend:on:)``, so launches can be captured
/// in a graph, at any number of tokens up to the configured maximum. Rows of activations are BF16, with
/// ``MoEConfiguration/rowPitch`` elements.
public final class MoELayer: Sendable {
    /// What the layer computes.
    public let configuration: MoEConfiguration
    /// Which kernel computes which numbers of tokens.
    public let resolution: MoEResolution
    /// The experts.
    public let weights: MoEWeights

    private let router: Router
    /// By rising numbers of tokens.
    private let streaming: [StreamEntry]
    /// The tokens of the shared expert; nil without one.
    private let sharedLists: TokenLists?

    /// Chooses the kernels and loads them; those that were never compiled on this machine take about a second each.
    ///
    /// - Parameters:
    ///   - configuration: the layer; that of the weights, except for the number of tokens.
    ///   - weights: the experts, on the loader's GPU.
    ///   - loader: the GPU and its kernels.
    ///   - backend: which kernels to use.
    ///   - stream: clears memory that the routing uses.
    /// - Throws: ``CUDA/CUDAError`` with code `unsupported` and the reason if no kernel that the backend allows can compute
    ///   the layer on this GPU, or that of the compiler or the driver.
    public init(
        _ configuration: MoEConfiguration, weights: MoEWeights, loader: KernelLoader, backend: MoEBackend = .auto,
        on stream: Stream
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
        router = try configuration.route()
            .load(from: loader.sources, loader.cache, on: stream, tokenCount: configuration.maximumTokenCount)
        streaming = try StreamEntry.load(candidates, loader)
        sharedLists =
            configuration.hasSharedExpert
            ? try TokenLists(
                configuration.maximumTokenCount, expert: configuration.expertCount,
                blockRowCount: MoEStream.largestRowCount, on: stream) : nil
        self.configuration = configuration
        self.weights = weights
    }

    /// The most rows of a block in the ``ExpertRows`` of a launch.
    public var blockRowCount: Int { MoEStream.largestRowCount }

    /// Queues the layer: chooses the experts of some tokens and computes them.
    ///
    /// - Parameters:
    ///   - logits: of the router, `[T, E]`, in the configuration's type.
    ///   - routerBiases: `[E]`, for ``Route/Method/biasedSigmoid(groupCount:chosenGroupCount:renormalized:)`` only.
    ///   - input: `[T, row pitch]`, BF16, zero beyond `H`.
    ///   - residual: `[T, row pitch]`, BF16, added; may be the output. Nil for none.
    ///   - output: `[T, row pitch]`, BF16; every element is written.
    ///   - workspace: of this configuration; no other stream uses it meanwhile.
    /// - Throws: ``CUDA/CUDAError`` with code `invalidArgument` before anything is queued if sizes do not fit, or that of
    ///   the launch.
    public func enqueue<Logit>(
        tokenCount: Int, input: DeviceBuffer<UInt16>, logits: DeviceBuffer<Logit>,
        routerBiases: DeviceBuffer<Float>? = nil, residual: DeviceBuffer<UInt16>? = nil, output: DeviceBuffer<UInt16>,
        workspace: MoEWorkspace, on stream: Stream
    ) throws(CUDAError) {
        let rows = ExpertRows(workspace.rows, blockRowCount: blockRowCount)
        guard let entry = try check(tokenCount, input, rows, residual, output, workspace) else { return }
        try router.launch(
            on: stream, logits: logits, biases: routerBiases, tokenCount: tokenCount,
            factor: configuration.weightFactor, into: workspace.rows)
        try launch(entry, tokenCount, input, rows, isEarly: false, residual, output, workspace, on: stream)
    }

    /// Queues the experts of tokens whose routing is known.
    ///
    /// - Parameters:
    ///   - rows: the tokens of each expert, in blocks of at most ``blockRowCount`` rows.
    ///   - routingIsEarly: whether `rows` was complete before the kernel before this one began; the first weights are then
    ///     fetched while that kernel runs.
    /// - Throws: as ``enqueue(tokenCount:input:logits:routerBiases:residual:output:workspace:on:)``.
    public func enqueue(
        tokenCount: Int, input: DeviceBuffer<UInt16>, rows: ExpertRows, routingIsEarly: Bool = false,
        residual: DeviceBuffer<UInt16>? = nil, output: DeviceBuffer<UInt16>, workspace: MoEWorkspace, on stream: Stream
    ) throws(CUDAError) {
        guard let entry = try check(tokenCount, input, rows, residual, output, workspace) else { return }
        try launch(entry, tokenCount, input, rows, isEarly: routingIsEarly, residual, output, workspace, on: stream)
    }

    private func launch(
        _ entry: StreamEntry, _ tokenCount: Int, _ input: DeviceBuffer<UInt16>, _ rows: ExpertRows, isEarly: Bool,
        _ residual: DeviceBuffer<UInt16>?, _ output: DeviceBuffer<UInt16>, _ workspace: MoEWorkspace,
        on stream: Stream
    ) throws(CUDAError) {
        var arguments = arguments(tokenCount, input, output, workspace)
        arguments.residual = residual?.address ?? 0
        if let sharedLists {
            arguments.routing = sharedLists.routing(tokenCount: tokenCount)
            // These lists never change; the routing of the others runs at the same time.
            arguments.routingIsEarly = 1
            try stream.launch(entry.kernel, entry.launch, arguments)
            arguments.residual = output.address
        }
        arguments.routing = MoEStream.Routing(
            list: rows.list.address, rowTokens: rows.tokens.address, rowWeights: rows.weights.address)
        arguments.routingIsEarly = isEarly ? 1 : 0
        try stream.launch(entry.kernel, entry.launch, arguments)
    }

    private func arguments(
        _ tokenCount: Int, _ input: DeviceBuffer<UInt16>, _ output: DeviceBuffer<UInt16>, _ workspace: MoEWorkspace
    ) -> MoEStream.Arguments {
        var arguments = MoEStream.Arguments(
            routing: MoEStream.Routing(list: 0),
            down: MoEStream.Operands(weights.down, workspace.hidden, pitch: configuration.shape.hiddenPitch),
            output: output.address, partials: workspace.streaming.partials.address,
            state: workspace.streaming.state.address, tokenCount: UInt32(tokenCount))
        arguments.up = MoEStream.Operands(weights.up, input, pitch: configuration.rowPitch)
        arguments.hidden = workspace.hidden.address
        arguments.upScales = weights.upScales.address
        arguments.downScales = weights.downScales.address
        arguments.upBiases = configuration.hasBiases ? weights.upBiases.address : 0
        arguments.downBiases = configuration.hasBiases ? weights.downBiases.address : 0
        (arguments.limit, arguments.slope) = configuration.activation.constants
        arguments.weightsRowsOnInput = configuration.weightPlacement == .input ? 1 : 0
        return arguments
    }

    /// The kernel for a launch whose sizes fit; nil for no tokens.
    private func check(
        _ tokenCount: Int, _ input: DeviceBuffer<UInt16>, _ rows: ExpertRows, _ residual: DeviceBuffer<UInt16>?,
        _ output: DeviceBuffer<UInt16>, _ workspace: MoEWorkspace
    ) throws(CUDAError) -> StreamEntry? {
        func fail(_ message: String) -> CUDAError { CUDAError(.invalidArgument, "MoE layer: \(message)") }
        guard tokenCount != 0 else { return nil }
        guard 1...configuration.maximumTokenCount ~= tokenCount,
            let entry = streaming.first(where: { $0.stream.tokenCount >= tokenCount })
        else { throw fail("\(tokenCount) tokens, expected 0 to \(configuration.maximumTokenCount)") }
        let pitch = configuration.rowPitch
        try input.checkRows(tokenCount, pitch: pitch, "MoE layer: input")
        try output.checkRows(tokenCount, pitch: pitch, "MoE layer: output")
        try residual?.checkRows(tokenCount, pitch: pitch, "MoE layer: residual")
        guard workspace.configuration == configuration else { throw fail("a workspace of another configuration") }
        guard rows.blockRowCount <= blockRowCount else {
            throw fail("blocks of up to \(rows.blockRowCount) rows, expected at most \(blockRowCount)")
        }
        guard rows.tokens.count <= configuration.maximumRowCount else {
            throw fail("\(rows.tokens.count) rows, expected at most \(configuration.maximumRowCount)")
        }
        return entry
    }
}

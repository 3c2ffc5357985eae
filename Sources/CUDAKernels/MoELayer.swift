public import CUDA
internal import Kernels

/// A layer of FP4 experts on a GPU: routing, both products with the activation between them, and the weighted sum.
///
/// Nothing is allocated and nothing is waited for after ``init(_:weights:loader:on:)``, so launches can be captured in a
/// graph, at any number of tokens up to the configured maximum. Rows of activations are BF16, with
/// ``MoEConfiguration/rowPitch`` elements.
///
/// Launches write only to their output and their workspace, so a layer may be used with several workspaces. But the
/// streaming kernel and the routing of more than 64 tokens wait for all of their own blocks, which take the whole GPU: if two
/// launches ran at once, each could wait for room that the other one has. So launches of layers on one GPU have to follow
/// each other, in one stream or by events.
public final class MoELayer: Sendable {
    /// What the layer computes.
    public let configuration: MoEConfiguration
    /// Which kernel computes which numbers of tokens.
    public let resolution: MoEResolution
    /// The experts.
    public let weights: MoEWeights

    /// By the rows of a block in the list for the grouped product.
    private let routers: [Int: Router]
    private let streamed: StreamedExperts?
    private let grouped: GroupedExperts?
    /// In place of both where activations are rounded to NVFP4.
    private let quantized: QuantizedExperts?

    /// Chooses the kernels and loads them; those that the cache lacks are compiled first, all at once, which takes seconds.
    ///
    /// - Parameters:
    ///   - configuration: the layer; that of the weights, except for the number of tokens, the backend and the precision of
    ///     activations.
    ///   - weights: the experts, on the loader's GPU.
    ///   - loader: the GPU and its kernels.
    ///   - stream: copies what kernels read in every launch.
    /// - Throws: ``CUDA/CUDAError`` with code `unsupported` and the reason if no kernel that the backend allows can compute
    ///   the layer on this GPU, or that of the compiler or the driver.
    public init(
        _ configuration: MoEConfiguration, weights: MoEWeights, loader: KernelLoader, on stream: Stream
    ) throws(CUDAError) {
        try configuration.check()
        var stored = weights.configuration
        stored.maximumTokenCount = configuration.maximumTokenCount
        stored.backend = configuration.backend
        stored.activationPrecision = configuration.activationPrecision
        guard stored == configuration else {
            throw CUDAError(.invalidArgument, "MoE layer: weights of another configuration")
        }
        let device = loader.context.device
        resolution = try MoEResolution(configuration, on: device)
        let kernels = MoEStream.kernels(
            for: configuration.shape, route: try configuration.streamedRoute(),
            maximumTokenCount: resolution.lastTokenCount(of: .latency), on: device)
        let routes = try Self.routes(configuration)
        try Self.compile(configuration, resolution, kernels, Array(routes.values), loader)
        var routers: [Int: Router] = [:]
        for (rowCount, route) in routes {
            routers[rowCount] = try route.load(
                from: loader.sources, loader.cache, in: loader.context, tokenCount: configuration.maximumTokenCount)
        }
        self.routers = routers
        let isQuantized = configuration.activationPrecision == .nvfp4
        quantized =
            isQuantized
            ? try QuantizedExperts(configuration, resolution, kernels, weights, loader: loader, on: stream) : nil
        streamed =
            resolution.uses(.latency) && !isQuantized
            ? try StreamedExperts(configuration, kernels, loader: loader, on: stream) : nil
        grouped =
            resolution.uses(.throughput) && !isQuantized ? try GroupedExperts(configuration, loader: loader) : nil
        self.configuration = configuration
        self.weights = weights
    }

    /// By the rows of a block of the grouped product.
    private static func routes(_ configuration: MoEConfiguration) throws(CUDAError) -> [Int: Route] {
        var routes: [Int: Route] = [:]
        for rowCount in configuration.groupedRowCounts {
            routes[rowCount] = try configuration.route(groupedRowCount: rowCount)
        }
        return routes
    }

    /// Compiles all kernels of a layer together, so that none waits for others; those of the grouped product, which take
    /// longest, first.
    private static func compile(
        _ configuration: MoEConfiguration, _ resolution: MoEResolution, _ kernels: [MoEStream], _ routes: [Route],
        _ loader: KernelLoader
    ) throws(CUDAError) {
        var all: [any TemplateKernel] = []
        if configuration.activationPrecision == .nvfp4 {
            all = QuantizedExperts.kernels(for: configuration, resolution, kernels)
        } else {
            if resolution.uses(.throughput) { all += GroupedExperts.kernels(for: configuration) }
            if resolution.uses(.latency) {
                all += kernels
                if let early = MoEStream.early(configuration, on: loader.context.device) { all.append(early) }
            }
        }
        var programs: [KernelProgram] = []
        for route in routes {
            programs += try route.programs(from: loader.sources, for: loader.context.device.architecture)
        }
        try loader.compile(all, with: programs)
    }

    /// The most rows of a block in the two lists of ``RoutedRows`` that any layer takes.
    public static var blockRowCounts: [Int] { [MoEStream.largestExpertRowCount, MoEGemm.rowCounts.many] }

    /// The rows of a block in those lists that are best for so many tokens, up to the layer's maximum.
    public func blockRowCounts(tokenCount: Int) -> [Int] {
        [MoEStream.largestExpertRowCount, configuration.groupedRowCount(tokenCount: tokenCount)]
    }

    /// Queues the layer: chooses the experts of some tokens and computes them.
    ///
    /// - Parameters:
    ///   - tokenCount: `T`, at most the configured maximum; 0 queues nothing.
    ///   - input: `[T, row pitch]`, BF16, zero beyond `H`.
    ///   - logits: of the router, `[T, E]`, in the configuration's type.
    ///   - routerBiases: `[E]`, for ``Route/Method/biasedSigmoid(groupCount:chosenGroupCount:renormalized:)`` only.
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
        let rows = workspace.rows.with(blockRowCounts: blockRowCounts(tokenCount: tokenCount))
        let isUnrouted =
            resolution.backend(tokenCount: tokenCount) == .latency
            && streamed?.routes(tokenCount: tokenCount) == true
        let unrouted = ExpertJob.Logits(
            address: logits.address, biases: routerBiases?.address ?? 0, factor: configuration.weightFactor)
        let job = ExpertJob(
            tokenCount: tokenCount, weights: weights, input: input, rows: rows, unrouted: isUnrouted ? unrouted : nil,
            routingIsEarly: false, residual: residual, output: output)
        try check(job, workspace)
        guard tokenCount > 0 else { return }
        guard let router = routers[job.groupedRowCount] else {
            throw CUDAError(.unsupported, "MoE layer: no router for blocks of \(job.groupedRowCount) rows was loaded")
        }
        if isUnrouted {
            try router.check(logits, routerBiases, tokenCount: tokenCount, rows)
        } else {
            try router.launch(
                on: stream, logits: logits, biases: routerBiases, tokenCount: tokenCount,
                factor: configuration.weightFactor, into: rows, workspace: workspace.routing)
        }
        try enqueue(job, workspace, on: stream)
    }

    /// Queues the experts of tokens whose routing is known.
    ///
    /// - Parameters:
    ///   - rows: the tokens of each expert, in two lists of blocks: of at most 8 rows, and, where the grouped product computes
    ///     them, of as many as ``blockRowCounts(tokenCount:)`` says for this number of tokens or another up to the layer's
    ///     maximum. A token without an expert gets the residual, or zeros.
    ///   - routingIsEarly: whether `rows` was complete before the previous kernel of the stream began; the first weights are
    ///     then fetched while that kernel runs.
    /// - Throws: as ``enqueue(tokenCount:input:logits:routerBiases:residual:output:workspace:on:)``.
    public func enqueue(
        tokenCount: Int, input: DeviceBuffer<UInt16>, rows: RoutedRows, routingIsEarly: Bool = false,
        residual: DeviceBuffer<UInt16>? = nil, output: DeviceBuffer<UInt16>, workspace: MoEWorkspace, on stream: Stream
    ) throws(CUDAError) {
        let job = ExpertJob(
            tokenCount: tokenCount, weights: weights, input: input, rows: rows, unrouted: nil,
            routingIsEarly: routingIsEarly, residual: residual, output: output)
        try check(job, workspace)
        try rows.check(
            for: configuration, tokenCount: tokenCount, backend: resolution.backend(tokenCount: tokenCount))
        guard tokenCount > 0 else { return }
        if !rows.isComplete { try writeResidual(job, on: stream) }
        try enqueue(job, workspace, on: stream)
    }

    /// Writes what tokens without an expert get.
    private func writeResidual(_ job: ExpertJob, on stream: Stream) throws(CUDAError) {
        let elements = 0..<job.tokenCount * configuration.rowPitch
        guard let residual = job.residual else { return try stream.fill(job.output.part(elements), byte: 0) }
        guard residual.address != job.output.address else { return }
        try stream.copy(residual.part(elements), to: job.output.part(elements))
    }

    private func enqueue(_ job: ExpertJob, _ workspace: MoEWorkspace, on stream: Stream) throws(CUDAError) {
        let backend = resolution.backend(tokenCount: job.tokenCount)
        if let quantized { return try quantized.enqueue(job, backend, workspace, on: stream) }
        if backend == .latency, let streamed, let memory = workspace.streamed {
            try streamed.enqueue(job, memory, workspace.streaming, on: stream)
        } else if backend == .throughput, let grouped, let memory = workspace.grouped {
            try grouped.enqueue(job, memory, on: stream)
        } else {
            throw CUDAError(.unsupported, "MoE layer: the \(backend.rawValue) backend was not loaded")
        }
    }

    private func check(_ job: ExpertJob, _ workspace: MoEWorkspace) throws(CUDAError) {
        func fail(_ message: String) -> CUDAError { CUDAError(.invalidArgument, "MoE layer: \(message)") }
        guard 0...configuration.maximumTokenCount ~= job.tokenCount else {
            throw fail("\(job.tokenCount) tokens, expected 0 to \(configuration.maximumTokenCount)")
        }
        let pitch = configuration.rowPitch
        try job.input.checkRows(job.tokenCount, pitch: pitch, "MoE layer: input")
        try job.output.checkRows(job.tokenCount, pitch: pitch, "MoE layer: output")
        try job.residual?.checkRows(job.tokenCount, pitch: pitch, "MoE layer: residual")
        guard workspace.configuration == configuration else { throw fail("a workspace of another configuration") }
    }
}

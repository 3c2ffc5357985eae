internal import CUDA
internal import CUDAKernels
internal import Kernels
internal import Models

/// Copies of one layer, and what they share.
struct ExpertLayers {
    private let benchmark: CUDAKernelBenchmark
    private let layers: [MoELayer]
    private let workspace: MoEWorkspace
    private let routerBiases: DeviceBuffer<Float>?
    private var shape: LayerShape { benchmark.shape }

    /// Makes as many copies as rotation needs; the experts of a layer have equal weights at addresses of their own.
    ///
    /// - Parameter onNote: told which kernels compute which numbers of tokens, and how long they took to load.
    init(_ benchmark: CUDAKernelBenchmark, onNote: (String) -> Void) throws {
        let (configuration, stream, loader) = (benchmark.configuration, benchmark.stream, benchmark.loader)
        onNote("\(try MoEResolution(configuration, on: loader.context.device))")
        let expert = benchmark.shape.expert(seed: benchmark.seed)
        let copyCount = benchmark.copyCount(ofByteCount: try MoEWeights.byteCount(for: configuration))
        let weights = try (0..<copyCount).map { _ in
            try MoEWeights(configuration, repeating: expert, loader: loader, on: stream)
        }
        let (clock, before) = (ContinuousClock(), loader.cache.statistics)
        let start = clock.now
        let first = try MoELayer(configuration, weights: weights[0], loader: loader, on: stream)
        let (time, after) = ((clock.now - start).seconds, loader.cache.statistics)
        onNote(
            "kernels of the layer: \(after.compiledCount - before.compiledCount) compiled, "
                + "\(after.readCount - before.readCount) read from the cache, \(time.formatted(decimals: 2)) s")
        layers =
            try [first]
            + weights.dropFirst().map { try MoELayer(configuration, weights: $0, loader: loader, on: stream) }
        workspace = try MoEWorkspace(configuration, on: stream)
        routerBiases = try benchmark.makeRouterBiases()
        self.benchmark = benchmark
    }

    /// Times the layer from router logits to output.
    func measureLayer(_ tokenCount: Int) throws -> KernelRow {
        let logits = RouterLogits(shape, tokenCount: tokenCount, seed: benchmark.seed)
        let sets = try logits.sets.map(benchmark.bfloat16)
        return try measure(.moe, tokenCount, logits) { index, input, output in
            try layers[index % layers.count].enqueue(
                tokenCount: tokenCount, input: input, logits: sets[index / layers.count % sets.count],
                routerBiases: routerBiases, output: output, workspace: workspace, on: benchmark.stream)
        }
    }

    /// Times both products of the experts that the same logits choose, their rows being in memory before the first launch.
    func measureExperts(_ tokenCount: Int) throws -> KernelRow {
        let logits = RouterLogits(shape, tokenCount: tokenCount, seed: benchmark.seed)
        let weight = 1 / Float(shape.routing.topK)
        let sets = try logits.sets.map { values in
            let choices = RouterLogits.choices(values, shape).map { experts in
                experts.map { HostRoutedRows.Choice(expert: $0, weight: weight) }
            }
            let rows = try HostRoutedRows(
                choices, topK: shape.routing.topK, blockRowCounts: layers[0].blockRowCounts(tokenCount: tokenCount))
            return try RoutedRows(rows, on: benchmark.stream)
        }
        return try measure(.experts, tokenCount, logits) { index, input, output in
            try layers[index % layers.count].enqueue(
                tokenCount: tokenCount, input: input, rows: sets[index / layers.count % sets.count],
                routingIsEarly: true, output: output, workspace: workspace, on: benchmark.stream)
        }
    }

    /// Times launches, each with an index, the input and the output.
    private func measure(
        _ operation: KernelOperation, _ tokenCount: Int, _ logits: RouterLogits,
        _ enqueue: (Int, DeviceBuffer<UInt16>, DeviceBuffer<UInt16>) throws -> Void
    ) throws -> KernelRow {
        let pitch = layers[0].configuration.rowPitch
        let input = try benchmark.activations(rowCount: tokenCount, columnCount: shape.hiddenSize, pitch: pitch)
        let output = try benchmark.poisoned(rowCount: tokenCount, pitch: pitch)
        let timer = GraphTimer(stream: benchmark.stream, launchCount: tokenCount <= 256 ? 32 : 8)
        let times = try timer.measure { try enqueue($0, input, output) }
        try benchmark.check(output, rowCount: tokenCount, pitch: pitch, of: operation)
        return KernelRow(
            operation,
            layout: layers[0].resolution.backend(tokenCount: tokenCount).rawValue
                + (benchmark.activationPrecision == .nvfp4 ? " w4a4" : ""), tokenCount: tokenCount,
            distinctExpertCount: logits.distinctExpertCount,
            work: .moe(shape, tokenCount: tokenCount, distinctExpertCount: logits.distinctExpertCount), times: times,
            limits: benchmark.limits)
    }
}

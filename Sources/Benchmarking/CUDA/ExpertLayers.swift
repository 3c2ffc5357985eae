internal import CUDA
internal import CUDAKernels
internal import Kernels
internal import Models

/// Copies of one layer, and what they share.
struct ExpertLayers {
    private let benchmark: CUDAKernelBenchmark
    private let layers: [MoELayer]
    private let workspace: MoEWorkspace
    private var shape: LayerShape { benchmark.shape }

    /// Makes as many copies as rotation needs; the experts of a layer have equal weights at addresses of their own.
    init(_ benchmark: CUDAKernelBenchmark, tokenCount: Int, backend: MoEBackend) throws {
        let (shape, stream, loader) = (benchmark.shape, benchmark.stream, benchmark.loader)
        var configuration = MoEConfiguration(
            hiddenSize: shape.hiddenSize, intermediateSize: shape.intermediateSize, expertCount: shape.expertCount,
            routing: shape.routing, activation: ExpertActivation(shape.activation),
            format: shape.format == .nvfp4 ? .nvfp4 : .mxfp4, maximumTokenCount: tokenCount)
        configuration.hasBiases = shape.hasBiases
        configuration.backend = backend
        configuration.activationPrecision = benchmark.activationPrecision
        let expert = shape.expert(seed: benchmark.seed)
        let copyCount = benchmark.copyCount(ofByteCount: try MoEWeights.byteCount(for: configuration))
        layers = try (0..<copyCount).map { _ in
            let weights = try MoEWeights(configuration, repeating: expert, loader: loader, on: stream)
            return try MoELayer(configuration, weights: weights, loader: loader, on: stream)
        }
        workspace = try MoEWorkspace(configuration, on: stream)
        self.benchmark = benchmark
    }

    /// Times the layer from router logits to output.
    func measure(_ tokenCount: Int) throws -> KernelRow {
        let stream = benchmark.stream
        var random = SplitMix64(seed: benchmark.seed ^ 0x6C6F_6769_7473 &+ UInt64(tokenCount))
        let logits = RouterLogits(
            tokenCount: tokenCount, expertCount: shape.expertCount, topK: shape.routing.topK, using: &random)
        let sets = try logits.sets.map { values in
            let buffer = try DeviceBuffer<UInt16>(stream.context, count: values.count)
            try stream.write(values.map { UInt16(truncatingIfNeeded: $0.bitPattern >> 16) }, to: buffer)
            return buffer
        }
        let pitch = layers[0].configuration.rowPitch
        let input = try benchmark.activations(rowCount: tokenCount, columnCount: shape.hiddenSize, pitch: pitch)
        let output = try benchmark.poisoned(rowCount: tokenCount, pitch: pitch)
        let timer = GraphTimer(stream: stream, launchCount: tokenCount <= 256 ? 32 : 8)
        let times = try timer.measure { index in
            try layers[index % layers.count].enqueue(
                tokenCount: tokenCount, input: input, logits: sets[index / layers.count % sets.count], output: output,
                workspace: workspace, on: stream)
        }
        try benchmark.check(output, rowCount: tokenCount, pitch: pitch, of: .moe)
        return KernelRow(
            .moe,
            layout: layers[0].resolution.backend(tokenCount: tokenCount).rawValue
                + (benchmark.activationPrecision == .nvfp4 ? " w4a4" : ""), tokenCount: tokenCount,
            distinctExpertCount: logits.distinctExpertCount,
            work: .moe(shape, tokenCount: tokenCount, distinctExpertCount: logits.distinctExpertCount), times: times,
            limits: benchmark.limits)
    }
}

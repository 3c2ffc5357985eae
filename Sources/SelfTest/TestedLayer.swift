internal import CUDA
internal import CUDAKernels
internal import FP4
internal import Kernels
internal import Models

/// A layer on both devices, with buffers for its largest number of tokens.
final class TestedLayer {
    let layer: ExpertLayer
    let test: SelfTest
    let gpu: MoELayer
    let workspace: MoEWorkspace
    let expected: Expected
    let input: DeviceBuffer<UInt16>
    let residual: DeviceBuffer<UInt16>
    let output: DeviceBuffer<UInt16>
    let logits: DeviceBuffer<UInt16>
    /// For the method that has biases.
    let routerBiases: DeviceBuffer<Float>?
    let routerBiasValues: [Float]

    /// What computes the right results: the CPU backend, and what that does not compute in float64.
    enum Expected {
        case cpu(CPUBackend, CPUFeedForward, shared: [CPUFeedForward])
        case oracle(ExpertOracle)
    }

    var configuration: MoEConfiguration { layer.configuration }
    var pitch: Int { configuration.rowPitch }

    init(_ layer: ExpertLayer, _ test: SelfTest) throws {
        self.layer = layer
        self.test = test
        let configuration = layer.configuration
        let experts = layer.makeExperts(seed: test.seed)
        let weights = try MoEWeights(configuration, experts: experts, loader: test.loader, on: test.stream)
        gpu = try MoELayer(configuration, weights: weights, loader: test.loader, on: test.stream)
        workspace = try MoEWorkspace(configuration, on: test.stream)
        if let activation = layer.activationOfCPU {
            let cpu = try CPUBackend()
            expected = .cpu(
                cpu,
                try cpu.makeFeedForward(Array(experts.prefix(configuration.expertCount)), activation: activation),
                shared: try experts.suffix(configuration.sharedExpertCount).map {
                    try cpu.makeFeedForward([$0], activation: activation)
                })
        } else {
            expected = .oracle(ExpertOracle(configuration, experts))
        }
        let count = configuration.maximumTokenCount * configuration.rowPitch
        input = try DeviceBuffer(test.loader.context, count: count)
        residual = try DeviceBuffer(test.loader.context, count: count)
        output = try DeviceBuffer(test.loader.context, count: count)
        logits = try DeviceBuffer(
            test.loader.context, count: configuration.maximumTokenCount * configuration.expertCount)
        var random = test.random("\(layer.name) router biases")
        if case .biasedSigmoid = configuration.routing {
            routerBiasValues = (0..<configuration.expertCount).map { _ in Float.random(in: -0.5...0.5, using: &random) }
            let biases = try DeviceBuffer<Float>(test.loader.context, count: routerBiasValues.count)
            try test.stream.write(routerBiasValues, to: biases)
            routerBiases = biases
        } else {
            (routerBiasValues, routerBiases) = ([], nil)
        }
    }

    /// The error of the GPU's output.
    func deviation(tokenCount: Int, _ choices: SelfTest.Choices) throws -> Double {
        let inputs = makeInputs(tokenCount: tokenCount, choices)
        try copy(inputs)
        if layer.hasInputScales { try enqueue(tokenCount) } else { try enqueueChoices(inputs) }
        return try deviation(inputs)
    }

    /// The same where the routing is known before the launch before, so that one launch begins while another still runs.
    func deviationOfEarlyRouting(tokenCount: Int) throws -> Double {
        let inputs = makeInputs(tokenCount: tokenCount, .random)
        try copy(inputs)
        try enqueueChoices(inputs, routingIsEarly: true, launchCount: 3)
        return try deviation(inputs)
    }

    private func deviation(_ inputs: Inputs) throws -> Double {
        let tokenCount = inputs.tokens.rowCount
        let found = try test.stream.read(output.part(0..<tokenCount * pitch))
        // Where a value lies on the border between two codes, the last bit of a sum decides (docs/numerics.md).
        let outlier = configuration.activationPrecision == .nvfp4 ? 0.25 : 0.06
        return try rightOutput(inputs).withUnsafeBufferPointer {
            Deviation.relative(found, pitch: pitch, to: $0, columnCount: configuration.hiddenSize, outlier: outlier)
        }
    }

    /// Queues the layer with the oracle's own choices and weights: a computed scale hangs on their last bits.
    private func enqueueChoices(_ inputs: Inputs, routingIsEarly: Bool = false, launchCount: Int = 1) throws {
        let tokenCount = inputs.tokens.rowCount
        var gap = Double.infinity
        let choices = (0..<tokenCount).map { token in
            choose(inputs.logits, token: token, gap: &gap).map {
                HostRoutedRows.Choice(expert: $0.expert, weight: Float($0.weight) * configuration.weightFactor)
            }
        }
        let rows = try RoutedRows(
            HostRoutedRows(
                choices, topK: configuration.topK, blockRowCounts: gpu.blockRowCounts(tokenCount: tokenCount)),
            on: test.stream)
        for _ in 0..<launchCount {
            try gpu.enqueue(
                tokenCount: tokenCount, input: input, rows: rows, routingIsEarly: routingIsEarly, residual: residual,
                output: output, workspace: workspace, on: test.stream)
        }
    }

    func rightOutput(_ inputs: Inputs) throws -> [Float] {
        switch expected {
        case .cpu(let cpu, let experts, let shared):
            let (output, tokens) = (try inputs.residual.onCPU(), try inputs.tokens.onCPU())
            try cpu.routeToExperts(
                experts, routing: layer.routing, logits: inputs.logits.onCPU(), input: tokens,
                rowCount: inputs.tokens.rowCount, addingTo: output)
            for shared in shared {
                try cpu.feedForward(shared, input: tokens, rowCount: inputs.tokens.rowCount, addingTo: output)
            }
            return try cpu.read(output, rowCount: inputs.tokens.rowCount)
        case .oracle(let oracle):
            var gap = Double.infinity
            let choices = (0..<inputs.tokens.rowCount).map { choose(inputs.logits, token: $0, gap: &gap) }
            return oracle.output(tokens: inputs.tokens, residual: inputs.residual, choices: choices)
        }
    }

    /// Whether few tokens are routed by the launch that computes them.
    func isStreamed(tokenCount: Int) -> Bool { gpu.resolution.backend(tokenCount: tokenCount) == .latency }

    func copy(_ inputs: Inputs) throws {
        try inputs.tokens.copy(to: input, pitch: pitch, on: test.stream)
        try inputs.residual.copy(to: residual, pitch: pitch, on: test.stream)
        try inputs.logits.copy(to: logits, pitch: configuration.expertCount, on: test.stream)
        try test.stream.fill(output, byte: 0xFF)
    }

    func enqueue(_ tokenCount: Int) throws {
        try gpu.enqueue(
            tokenCount: tokenCount, input: input, logits: logits, routerBiases: routerBiases, residual: residual,
            output: output, workspace: workspace, on: test.stream)
    }
}

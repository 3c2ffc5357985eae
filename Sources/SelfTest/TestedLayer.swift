internal import CUDA
internal import CUDAKernels
internal import FP4
internal import Kernels
internal import Models

/// A layer on both devices, with buffers for its largest number of tokens.
final class TestedLayer {
    private let layer: ExpertLayer
    private let test: SelfTest
    private let gpu: MoELayer
    private let workspace: MoEWorkspace
    private let cpu: CPUBackend
    private let cpuLayer: CPUFeedForward
    private let cpuShared: CPUFeedForward?
    private let input: DeviceBuffer<UInt16>
    private let residual: DeviceBuffer<UInt16>
    private let output: DeviceBuffer<UInt16>
    private let logits: DeviceBuffer<UInt16>

    private var configuration: MoEConfiguration { layer.configuration }
    private var pitch: Int { configuration.rowPitch }

    init(_ layer: ExpertLayer, _ test: SelfTest) throws {
        self.layer = layer
        self.test = test
        let configuration = layer.configuration
        let experts = Self.experts(configuration, seed: test.seed)
        let weights = try MoEWeights(configuration, experts: experts, loader: test.loader, on: test.stream)
        gpu = try MoELayer(configuration, weights: weights, loader: test.loader, on: test.stream)
        workspace = try MoEWorkspace(configuration, on: test.stream)
        cpu = try CPUBackend()
        let activation: GatedActivation =
            if case .clampedSwiglu(let alpha, let limit) = configuration.activation {
                .clampedSwiglu(alpha: alpha, limit: limit)
            } else {
                .swiglu
            }
        cpuLayer = try cpu.makeFeedForward(
            Array(experts.prefix(configuration.expertCount)), activation: activation)
        cpuShared =
            configuration.hasSharedExpert
            ? try cpu.makeFeedForward(Array(experts.suffix(1)), activation: activation) : nil
        let count = configuration.maximumTokenCount * configuration.rowPitch
        input = try DeviceBuffer(test.loader.context, count: count)
        residual = try DeviceBuffer(test.loader.context, count: count)
        output = try DeviceBuffer(test.loader.context, count: count)
        logits = try DeviceBuffer(
            test.loader.context, count: configuration.maximumTokenCount * configuration.expertCount)
    }

    /// Random experts of all formats.
    private static func experts(_ configuration: MoEConfiguration, seed: UInt64) -> [ExpertWeights] {
        let format: SyntheticWeights.Format =
            switch configuration.format {
            case .nvfp4: .nvfp4
            case .mxfp4: .mxfp4
            case .bfloat16: .bfloat16
            }
        let (hidden, intermediate) = (configuration.hiddenSize, configuration.intermediateSize)
        return (0..<configuration.storedExpertCount).map { index in
            let seed = seed &+ UInt64(index) &* 3
            var random = SplitMix64(seed: seed)
            func biases(_ count: Int) -> [Float] {
                (0..<count).map { _ in Float(BFloat16(Float.random(in: -1...1, using: &random))) }
            }
            return ExpertWeights(
                gate: SyntheticWeights.matrix(
                    "gate", rowCount: intermediate, columnCount: hidden, format: format, seed: seed),
                up: SyntheticWeights.matrix(
                    "up", rowCount: intermediate, columnCount: hidden, format: format, seed: seed &+ 1),
                down: SyntheticWeights.matrix(
                    "down", rowCount: hidden, columnCount: intermediate, format: format, seed: seed &+ 2),
                biases: configuration.hasBiases
                    ? ExpertWeights.Biases(gate: biases(intermediate), up: biases(intermediate), down: biases(hidden))
                    : nil)
        }
    }

    /// The error of the GPU's output.
    func deviation(tokenCount: Int, _ choices: SelfTest.Choices) throws -> Double {
        let inputs = makeInputs(tokenCount: tokenCount, choices)
        try copy(inputs)
        try enqueue(tokenCount)
        let found = try test.stream.read(output.part(0..<tokenCount * pitch))
        let expected = try inputs.residual.onCPU()
        let tokens = try inputs.tokens.onCPU()
        try cpu.routeToExperts(
            cpuLayer, routing: layer.routing, logits: inputs.logits.onCPU(), input: tokens, rowCount: tokenCount,
            addingTo: expected)
        if let cpuShared {
            try cpu.feedForward(cpuShared, input: tokens, rowCount: tokenCount, addingTo: expected)
        }
        return Deviation.relative(
            found, pitch: pitch,
            to: UnsafeBufferPointer(start: expected.base, count: tokenCount * configuration.hiddenSize),
            columnCount: configuration.hiddenSize)
    }

    /// How many values change if a launch of its own routes the tokens.
    func countOfDifferences(tokenCount: Int) throws -> Double {
        try copy(makeInputs(tokenCount: tokenCount, .random))
        try enqueue(tokenCount)
        let together = try test.stream.read(output.part(0..<tokenCount * pitch))
        try test.stream.fill(output, byte: 0xFF)
        let route = try Route(
            configuration.routing, logits: .bfloat16, expertCount: configuration.expertCount,
            topK: configuration.topK, blockRowCounts: MoELayer.blockRowCounts)
        let rows = try RoutedRows(test.loader.context, route, tokenCount: tokenCount)
        try route.load(from: test.loader.sources, test.loader.cache, on: test.stream, tokenCount: tokenCount)
            .launch(
                on: test.stream, logits: logits, tokenCount: tokenCount, factor: configuration.weightFactor, into: rows)
        try gpu.enqueue(
            tokenCount: tokenCount, input: input, rows: rows, residual: residual, output: output, workspace: workspace,
            on: test.stream)
        let apart = try test.stream.read(output.part(0..<tokenCount * pitch))
        return Double(zip(together, apart).count { $0 != $1 })
    }

    /// How many values of other tokens a NaN in one token changes, and how many of that token's are not NaN.
    func countOfLeaks(tokenCount: Int) throws -> Double {
        var inputs = makeInputs(tokenCount: tokenCount, .random)
        try copy(inputs)
        try enqueue(tokenCount)
        let before = try test.stream.read(output.part(0..<tokenCount * pitch))
        inputs.tokens[1, 5] = .nan
        try copy(inputs)
        try enqueue(tokenCount)
        let after = try test.stream.read(output.part(0..<tokenCount * pitch))
        var count = 0
        for token in 0..<tokenCount {
            for index in token * pitch..<token * pitch + configuration.hiddenSize {
                let isWrong =
                    token == 1 ? !Float(BFloat16(bits: after[index])).isNaN : before[index] != after[index]
                count += isWrong ? 1 : 0
            }
        }
        return Double(count)
    }

    /// How many of the replays of a graph that are read, one in 50, give other bits than the first one.
    func countOfChanges(tokenCount: Int, replayCount: Int) throws -> Double {
        try copy(makeInputs(tokenCount: tokenCount, .random))
        let graph = try test.stream.capture { try enqueue(tokenCount) }
        var first: [UInt16] = []
        var count = 0
        // Reading each result would take most of the time.
        for replay in 0..<replayCount {
            try graph.launch(on: test.stream)
            guard replay == 0 || replay % 50 == 49 else { continue }
            let found = try test.stream.read(output.part(0..<tokenCount * pitch))
            if replay == 0 { first = found }
            count += found == first ? 0 : 1
        }
        return Double(count)
    }

    private struct Inputs {
        var tokens: Activations
        var residual: Activations
        var logits: Activations
    }

    private func makeInputs(tokenCount: Int, _ choices: SelfTest.Choices) -> Inputs {
        var random = test.random("\(layer.name) \(tokenCount) \(choices.rawValue)")
        var inputs = Inputs(
            tokens: Activations(rowCount: tokenCount, columnCount: configuration.hiddenSize, using: &random),
            residual: Activations(rowCount: tokenCount, columnCount: configuration.hiddenSize, using: &random),
            logits: Activations(
                rowCount: tokenCount, columnCount: configuration.expertCount, amplitude: 4, using: &random))
        guard choices != .random else { return inputs }
        // A layer with fewer than 2 k experts cannot leave half of them empty.
        let isHalved = choices == .halfEmpty && configuration.expertCount >= 2 * configuration.topK
        for token in 0..<tokenCount {
            if choices == .oneExpert { inputs.logits[token, configuration.expertCount - 1] = 8 }
            for expert in 0..<configuration.expertCount where isHalved && expert % 2 == 1 {
                inputs.logits[token, expert] = -8
            }
        }
        return inputs
    }

    private func copy(_ inputs: Inputs) throws {
        try inputs.tokens.copy(to: input, pitch: pitch, on: test.stream)
        try inputs.residual.copy(to: residual, pitch: pitch, on: test.stream)
        try inputs.logits.copy(to: logits, pitch: configuration.expertCount, on: test.stream)
        try test.stream.fill(output, byte: 0xFF)
    }

    private func enqueue(_ tokenCount: Int) throws {
        try gpu.enqueue(
            tokenCount: tokenCount, input: input, logits: logits, residual: residual, output: output,
            workspace: workspace, on: test.stream)
    }
}

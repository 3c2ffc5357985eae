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
    private let expected: Expected
    private let input: DeviceBuffer<UInt16>
    private let residual: DeviceBuffer<UInt16>
    private let output: DeviceBuffer<UInt16>
    private let logits: DeviceBuffer<UInt16>
    /// For the method that has biases.
    private let routerBiases: DeviceBuffer<Float>?
    private let routerBiasValues: [Float]

    /// What computes the right results: the CPU backend, and what that does not compute in float64.
    private enum Expected {
        case cpu(CPUBackend, CPUFeedForward, shared: [CPUFeedForward])
        case oracle(ExpertOracle)
    }

    private var configuration: MoEConfiguration { layer.configuration }
    private var pitch: Int { configuration.rowPitch }

    init(_ layer: ExpertLayer, _ test: SelfTest) throws {
        self.layer = layer
        self.test = test
        let configuration = layer.configuration
        let experts = Self.experts(configuration, hasInputScales: layer.hasInputScales, seed: test.seed)
        let weights = try MoEWeights(configuration, experts: experts, loader: test.loader, on: test.stream)
        gpu = try MoELayer(configuration, weights: weights, loader: test.loader, on: test.stream)
        workspace = try MoEWorkspace(configuration, on: test.stream)
        if let activation = Self.activationOfCPU(configuration) {
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

    /// The activation, if the CPU backend computes such a layer as the GPU does.
    private static func activationOfCPU(_ configuration: MoEConfiguration) -> GatedActivation? {
        guard configuration.activationPrecision == .full else { return nil }
        if case .biasedSigmoid = configuration.routing { return nil }
        return switch configuration.activation {
        case .swiglu: .swiglu
        case .clampedSwiglu(let alpha, let limit): .clampedSwiglu(alpha: alpha, limit: limit)
        case .geglu, .reluSquared: nil
        }
    }

    /// Random experts of all formats.
    private static func experts(
        _ configuration: MoEConfiguration, hasInputScales: Bool, seed: UInt64
    ) -> [ExpertWeights] {
        let format: SyntheticWeights.Format =
            switch configuration.format {
            case .nvfp4: .nvfp4
            case .mxfp4: .mxfp4
            case .bfloat16, .float8: .bfloat16
            }
        let (hidden, intermediate) = (configuration.hiddenSize, configuration.intermediateSize)
        return (0..<configuration.storedExpertCount).map { index in
            let seed = seed &+ UInt64(index) &* 3
            var random = SplitMix64(seed: seed)
            func biases(_ count: Int) -> [Float] {
                (0..<count).map { _ in Float(BFloat16(Float.random(in: -1...1, using: &random))) }
            }
            func matrix(_ name: String, _ rows: Int, _ columns: Int, _ number: UInt64, _ scale: Float?) -> WeightMatrix
            {
                SyntheticWeights.matrix(
                    name, rowCount: rows, columnCount: columns, format: format, seed: seed &+ number
                ).with(inputEncodeScale: scale)
            }
            // Inputs are at most 1, hidden rows some 10: scales that leave room, different for each expert.
            let scale = hasInputScales ? 1800 + 10 * Float(index) : nil
            let up = matrix("up", intermediate, hidden, 1, scale)
            let down = matrix("down", hidden, intermediate, 2, scale.map { $0 / 10 })
            guard configuration.activation.isGated else {
                return ExpertWeights(
                    up: up, down: down, biases: configuration.hasBiases ? (biases(intermediate), biases(hidden)) : nil)
            }
            return ExpertWeights(
                gate: matrix("gate", intermediate, hidden, 0, scale), up: up, down: down,
                biases: configuration.hasBiases
                    ? ExpertWeights.Biases(gate: biases(intermediate), up: biases(intermediate), down: biases(hidden))
                    : nil)
        }
    }

    /// The error of the GPU's output.
    func deviation(tokenCount: Int, _ choices: SelfTest.Choices) throws -> Double {
        let inputs = makeInputs(tokenCount: tokenCount, choices)
        try copy(inputs)
        if layer.hasInputScales { try enqueue(tokenCount) } else { try enqueueChoices(inputs) }
        let found = try test.stream.read(output.part(0..<tokenCount * pitch))
        // Where a value lies on the border between two codes, the last bit of a sum decides (docs/numerics.md).
        let outlier = configuration.activationPrecision == .nvfp4 ? 0.25 : 0.06
        return try rightOutput(inputs).withUnsafeBufferPointer {
            Deviation.relative(found, pitch: pitch, to: $0, columnCount: configuration.hiddenSize, outlier: outlier)
        }
    }

    /// Queues the layer with the oracle's own choices and weights: a computed scale hangs on their last bits.
    private func enqueueChoices(_ inputs: Inputs) throws {
        let tokenCount = inputs.tokens.rowCount
        var gap = Double.infinity
        let choices = (0..<tokenCount).map { token in
            choose(inputs.logits, token: token, gap: &gap).map {
                HostRoutedRows.Choice(expert: $0.expert, weight: Float($0.weight) * configuration.weightFactor)
            }
        }
        let rows = try RoutedRows(
            HostRoutedRows(choices, topK: configuration.topK, blockRowCounts: MoELayer.blockRowCounts), on: test.stream)
        try gpu.enqueue(
            tokenCount: tokenCount, input: input, rows: rows, residual: residual, output: output, workspace: workspace,
            on: test.stream)
    }

    private func rightOutput(_ inputs: Inputs) throws -> [Float] {
        switch expected {
        case .cpu(let cpu, let experts, let shared):
            let (output, tokens) = (try inputs.residual.onCPU(), try inputs.tokens.onCPU())
            try cpu.routeToExperts(
                experts, routing: layer.routing, logits: inputs.logits.onCPU(), input: tokens,
                rowCount: inputs.tokens.rowCount, addingTo: output)
            for shared in shared {
                try cpu.feedForward(shared, input: tokens, rowCount: inputs.tokens.rowCount, addingTo: output)
            }
            return Array(
                UnsafeBufferPointer(
                    start: output.base, count: inputs.tokens.rowCount * configuration.hiddenSize))
        case .oracle(let oracle):
            var gap = Double.infinity
            let choices = (0..<inputs.tokens.rowCount).map { choose(inputs.logits, token: $0, gap: &gap) }
            return oracle.output(tokens: inputs.tokens, residual: inputs.residual, choices: choices)
        }
    }

    private func choose(
        _ logits: Activations, token: Int, gap: inout Double
    ) -> [(expert: Int, weight: Double)] {
        let count = configuration.expertCount
        return RouteOracle.choices(
            configuration.routing, topK: configuration.topK, logits: logits.values[token * count..<(token + 1) * count],
            biases: routerBiasValues, gap: &gap)
    }

    /// How many values differ from the residual, or from zero without one, where no token has an expert.
    func countOfWrongResiduals(tokenCount: Int) throws -> Double {
        guard !configuration.hasSharedExpert else { return 0 }
        let inputs = makeInputs(tokenCount: tokenCount, .random)
        try copy(inputs)
        let rows = try RoutedRows(
            HostRoutedRows(
                [[HostRoutedRows.Choice]](repeating: [], count: tokenCount), topK: configuration.topK,
                blockRowCounts: MoELayer.blockRowCounts), on: test.stream)
        var wrong = 0
        for residual in [residual, nil] {
            try test.stream.fill(output, byte: 0xFF)
            try gpu.enqueue(
                tokenCount: tokenCount, input: input, rows: rows, residual: residual, output: output,
                workspace: workspace, on: test.stream)
            let right = residual == nil ? nil : inputs.residual.bits(pitch: pitch)
            for (index, value) in try test.stream.read(output.part(0..<tokenCount * pitch)).enumerated() {
                wrong += value == right?[index] ?? 0 ? 0 : 1
            }
        }
        return Double(wrong)
    }

    /// Whether few tokens are routed by the launch that computes them.
    func isStreamed(tokenCount: Int) -> Bool { gpu.resolution.backend(tokenCount: tokenCount) == .latency }

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
                on: test.stream, logits: logits, biases: routerBiases, tokenCount: tokenCount,
                factor: configuration.weightFactor, into: rows)
        try gpu.enqueue(
            tokenCount: tokenCount, input: input, rows: rows, residual: residual, output: output, workspace: workspace,
            on: test.stream)
        let apart = try test.stream.read(output.part(0..<tokenCount * pitch))
        return Double(zip(together, apart).count { $0 != $1 })
    }

    /// How many values of other tokens a NaN or an infinity in one token changes, and how many of that token's are finite
    /// where they should not be, or the other way round.
    func countOfLeaks(_ value: Float, tokenCount: Int) throws -> Double {
        var inputs = makeInputs(tokenCount: tokenCount, .random)
        try copy(inputs)
        try enqueue(tokenCount)
        let before = try test.stream.read(output.part(0..<tokenCount * pitch))
        inputs.tokens[1, 5] = value
        try copy(inputs)
        try enqueue(tokenCount)
        let after = try test.stream.read(output.part(0..<tokenCount * pitch))
        let expected = try rightOutput(inputs)
        var count = 0
        for token in 0..<tokenCount {
            for column in 0..<configuration.hiddenSize {
                let index = token * pitch + column
                let isRight =
                    token == 1
                    ? Float(BFloat16(bits: after[index])).isFinite
                        == expected[token * configuration.hiddenSize + column].isFinite
                    : before[index] == after[index]
                count += isRight ? 0 : 1
            }
        }
        return Double(count)
    }

    /// How many words of the results of a graph's replays, all of them, differ from those of a launch by itself.
    func countOfChanges(tokenCount: Int, replayCount: Int) throws -> Double {
        let stream = test.stream
        try copy(makeInputs(tokenCount: tokenCount, .random))
        try enqueue(tokenCount)
        let found = try output.part(0..<tokenCount * pitch)
        let first = try DeviceBuffer<UInt16>(stream.context, count: found.count)
        try stream.copy(found, to: first)
        let differences = try DeviceBuffer<UInt32>(stream.context, count: 1)
        try stream.fill(differences, byte: 0)
        let comparison = try WordComparison(test.loader)
        let graph = try stream.capture {
            try stream.fill(found, byte: 0xFF)
            try enqueue(tokenCount)
            try comparison.enqueue(found, first, addingTo: differences, on: stream)
        }
        for _ in 0..<replayCount { try graph.launch(on: stream) }
        return Double(try stream.read(differences)[0])
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
        drawClearChoices(&inputs.logits, using: &random)
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

    /// Draws other logits where groups or experts are as good as equal, and either choice would be right.
    private func drawClearChoices(_ logits: inout Activations, using random: inout SplitMix64) {
        guard routerBiases != nil else { return }
        for token in 0..<logits.rowCount {
            while true {
                var gap = Double.infinity
                _ = choose(logits, token: token, gap: &gap)
                if gap > 1e-5 { break }
                for expert in 0..<configuration.expertCount {
                    logits[token, expert] = Float(BFloat16(Float.random(in: -4...4, using: &random)))
                }
            }
        }
    }

    private func copy(_ inputs: Inputs) throws {
        try inputs.tokens.copy(to: input, pitch: pitch, on: test.stream)
        try inputs.residual.copy(to: residual, pitch: pitch, on: test.stream)
        try inputs.logits.copy(to: logits, pitch: configuration.expertCount, on: test.stream)
        try test.stream.fill(output, byte: 0xFF)
    }

    private func enqueue(_ tokenCount: Int) throws {
        try gpu.enqueue(
            tokenCount: tokenCount, input: input, logits: logits, routerBiases: routerBiases, residual: residual,
            output: output, workspace: workspace, on: test.stream)
    }
}

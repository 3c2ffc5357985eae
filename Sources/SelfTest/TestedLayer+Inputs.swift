internal import CUDA
internal import CUDAKernels
internal import FP4
internal import Models

extension TestedLayer {
    struct Inputs {
        var tokens: Activations
        var residual: Activations
        var logits: Activations
    }

    func makeInputs(tokenCount: Int, _ choices: SelfTest.Choices) -> Inputs {
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
    func drawClearChoices(_ logits: inout Activations, using random: inout SplitMix64) {
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

    func choose(
        _ logits: Activations, token: Int, gap: inout Double
    ) -> [(expert: Int, weight: Double)] {
        let count = configuration.expertCount
        return RouteOracle.choices(
            configuration.routing, topK: configuration.topK, logits: logits.values[token * count..<(token + 1) * count],
            biases: routerBiasValues, gap: &gap)
    }
}

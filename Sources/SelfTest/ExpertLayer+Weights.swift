internal import CUDAKernels
internal import FP4
internal import Kernels
internal import Models

extension ExpertLayer {
    /// The activation, if the CPU backend computes such a layer as the GPU does.
    var activationOfCPU: GatedActivation? {
        guard configuration.activationPrecision == .full else { return nil }
        if case .biasedSigmoid = configuration.routing { return nil }
        return switch configuration.activation {
        case .swiglu: .swiglu
        case .clampedSwiglu(let alpha, let limit): .clampedSwiglu(alpha: alpha, limit: limit)
        case .geglu, .reluSquared: nil
        }
    }

    /// Random experts of all formats.
    func makeExperts(seed: UInt64) -> [ExpertWeights] {
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
}

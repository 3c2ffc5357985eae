#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

internal import CUDAKernels
internal import FP4
internal import Kernels

/// A layer of experts in float64, for what the CPU backend does not compute, or rounds elsewhere.
///
/// It has the roundings that are part of what a GPU computes: rows between the products are BF16, and with W4A4 both
/// products' rows are NVFP4.
struct ExpertOracle {
    private struct Expert {
        let gate: ExpandedMatrix?, up: ExpandedMatrix, down: ExpandedMatrix
        let biases: ExpertWeights.Biases?
        let encodeScales: (up: Float?, down: Float?)
    }

    private let configuration: MoEConfiguration
    private let experts: [Expert]

    init(_ configuration: MoEConfiguration, _ experts: [ExpertWeights]) {
        self.configuration = configuration
        self.experts = experts.map { expert in
            Expert(
                gate: configuration.activation.isGated ? ExpandedMatrix(expert.gate) : nil,
                up: ExpandedMatrix(expert.up), down: ExpandedMatrix(expert.down), biases: expert.biases,
                encodeScales: (expert.up.inputEncodeScale, expert.down.inputEncodeScale))
        }
    }

    /// The layer's output `[T, H]`.
    func output(
        tokens: Activations, residual: Activations, choices: [[(expert: Int, weight: Double)]]
    ) -> [Float] {
        let size = configuration.hiddenSize
        return (0..<tokens.rowCount).flatMap { token in
            let row = Array(tokens.values[token * size..<(token + 1) * size])
            var sums = residual.values[token * size..<(token + 1) * size].map { Double($0) }
            var terms = choices[token].map { ($0.expert, Float($0.weight) * configuration.weightFactor) }
            terms += (0..<configuration.sharedExpertCount).map { (configuration.expertCount + $0, 1) }
            for (expert, weight) in terms {
                let weighsInput = configuration.weightPlacement == .input
                let result = run(experts[expert], row, inputWeight: weighsInput ? weight : 1)
                for index in sums.indices { sums[index] += Double(weighsInput ? 1 : weight) * result[index] }
            }
            return sums.map { Float($0) }
        }
    }

    private func run(_ expert: Expert, _ row: [Float], inputWeight: Float) -> [Double] {
        let isQuantized = configuration.activationPrecision == .nvfp4
        var input = row.map { $0 * inputWeight }
        if isQuantized { input = quantizedRow(input, encodeScale: expert.encodeScales.up) }
        let up = zip(
            expert.up.multiply(input), expert.biases?.up ?? [Float](repeating: 0, count: configuration.intermediateSize)
        )
        .map { $0 + Double($1) }
        let gate = expert.gate.map { matrix in
            zip(
                matrix.multiply(input),
                expert.biases?.gate ?? [Float](repeating: 0, count: configuration.intermediateSize)
            )
            .map { $0 + Double($1) }
        }
        var hidden = up.indices.map { index in
            Float(BFloat16(Float(activated(gate?[index] ?? 0, up[index]))))
        }
        if isQuantized { hidden = quantizedRow(hidden, encodeScale: expert.encodeScales.down) }
        let biases = expert.biases?.down ?? [Float](repeating: 0, count: configuration.hiddenSize)
        return zip(expert.down.multiply(hidden), biases).map { $0 + Double($1) }
    }

    private func activated(_ gate: Double, _ up: Double) -> Double {
        func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
        switch configuration.activation {
        case .swiglu: return gate * sigmoid(gate) * up
        case .clampedSwiglu(let alpha, let limit):
            let (gate, up) = (min(gate, Double(limit)), max(-Double(limit), min(up, Double(limit))))
            return gate * sigmoid(Double(alpha) * gate) * (up + 1)
        case .geglu:
            return gate * (1 + tanh((2 / Double.pi).squareRoot() * (gate + 0.044715 * gate * gate * gate))) / 2 * up
        case .reluSquared: return max(up, 0) * max(up, 0)
        }
    }
}

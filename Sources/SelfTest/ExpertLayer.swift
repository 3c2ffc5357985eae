internal import CUDAKernels
internal import Kernels
internal import Models

/// A layer in the table.
struct ExpertLayer {
    var name: String
    var configuration: MoEConfiguration
    var tokenCounts: [Int]
    var replayCount = 1000
    /// Whether the checkpoint has scales for W4A4.
    var hasInputScales = true
    /// How logits become weights, as the CPU knows it.
    let routing: Routing

    init(
        _ name: String, _ format: WeightFormat, hidden: Int, intermediate: Int, experts: Int, _ routing: Routing,
        tokenCounts: [Int], _ change: (inout MoEConfiguration) -> Void = { _ in }
    ) {
        self.name = name
        self.routing = routing
        self.tokenCounts = tokenCounts
        configuration = MoEConfiguration(
            hiddenSize: hidden, intermediateSize: intermediate, expertCount: experts, routing: routing,
            activation: .swiglu, format: format, maximumTokenCount: tokenCounts.max() ?? 1)
        change(&configuration)
    }

    /// The table, then layers that depend on the seed; small shapes are for tools that make kernels hundreds of times
    /// slower.
    static func all(isSmall: Bool, seed: UInt64) -> [ExpertLayer] {
        guard isSmall else {
            var random = SplitMix64(seed: seed)
            return table + quantized + (1...randomCount).map { .random($0, using: &random) }
        }
        return (table + quantized)
            .filter { $0.configuration.hiddenSize * $0.configuration.intermediateSize <= 1 << 18 }
            .filter { $0.configuration.expertCount <= 32 }
            .map { layer in
                var layer = layer
                layer.replayCount = 2
                layer.tokenCounts = layer.tokenCounts.filter { [1, 8, 9, 32, 33, 128, 129].contains($0) }
                return layer
            }
    }

    private static let randomCount = 8
}

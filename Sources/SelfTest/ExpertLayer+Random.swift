internal import CUDAKernels
internal import Kernels
internal import Models

extension ExpertLayer {
    /// A layer whose sizes, routing, format and activation are random, at random numbers of tokens.
    static func random(_ number: Int, using random: inout SplitMix64) -> ExpertLayer {
        let format = [WeightFormat.nvfp4, .mxfp4, .bfloat16].randomElement(using: &random) ?? .nvfp4
        func size() -> Int {
            // BF16 has no blocks, and so rows of any size.
            let multiple = format.blockSize ?? 1
            return multiple * Int.random(in: 1...768 / multiple, using: &random)
        }
        var hidden = size()
        let intermediate = size()
        // Sometimes as wide as one token's rows need that are gathered.
        if Int.random(in: 0..<3, using: &random) == 0 { hidden = 32 * Int.random(in: 61...66, using: &random) }
        let experts = Int.random(in: 1...48, using: &random)
        let score =
            [Routing.Score.softmax(renormalized: true), .softmax(renormalized: false), .softmaxOfSelected, .sigmoid]
            .randomElement(using: &random) ?? .sigmoid
        let routing = Routing(
            topK: .random(in: 1...min(8, experts), using: &random), score: score,
            weightPlacement: Bool.random(using: &random) ? .input : .output)
        let few = (0..<3).map { _ in Int.random(in: 1...40, using: &random) }
        let many = (0..<3).map { _ in Int.random(in: 41...300, using: &random) }
        var layer = ExpertLayer(
            "", format, hidden: hidden, intermediate: intermediate, experts: experts, routing,
            tokenCounts: (few + many).sorted())
        layer.configuration.activation =
            [.swiglu, .clampedSwiglu(alpha: 1.702, limit: 7), .geglu, .reluSquared].randomElement(using: &random)
            ?? .swiglu
        layer.configuration.hasBiases = .random(using: &random)
        layer.configuration.sharedExpertCount = max(0, .random(in: -2...2, using: &random))
        layer.configuration.backend = MoEBackend.allCases.randomElement(using: &random) ?? .auto
        // The latency backend takes no more.
        if layer.configuration.backend == .latency {
            layer.tokenCounts = few.sorted()
            layer.configuration.maximumTokenCount = 40
        }
        layer.replayCount = 100
        layer.name =
            "random \(number): \(format.rawValue) \(hidden) x \(intermediate) E\(experts) top-\(routing.topK) \(score) on "
            + "\(routing.weightPlacement), \(layer.configuration.activation), biases \(layer.configuration.hasBiases), "
            + "\(layer.configuration.sharedExpertCount) shared, \(layer.configuration.backend)"
        return layer
    }
}

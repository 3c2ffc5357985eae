internal import CUDA
internal import CUDAKernels
internal import FP4
internal import Kernels
internal import Models

extension SelfTest {
    /// Rounding the output and the rows between the products to BF16 gives about 0.002.
    static let productBound = 0.005

    /// Who chooses which experts.
    enum Choices: String, CaseIterable {
        case random, oneExpert = "one expert for all", halfEmpty = "half of the experts empty"
    }

    func testExperts(_ onResult: (Result) throws -> Void) throws {
        for layer in ExpertLayer.all {
            let tested = try TestedLayer(layer, self)
            for tokenCount in layer.tokenCounts {
                for choices in tokenCount < 2 ? [.random] : Choices.allCases {
                    let error = try tested.deviation(tokenCount: tokenCount, choices)
                    try onResult(
                        Result(
                            operation: "moe", name: "\(layer.name), \(tokenCount) tokens, \(choices.rawValue)",
                            error: error, bound: Self.productBound))
                }
            }
            for tokenCount in layer.tokenCounts where 1...8 ~= tokenCount {
                let error = try tested.countOfDifferences(tokenCount: tokenCount)
                try onResult(
                    Result(
                        operation: "moe", name: "\(layer.name), \(tokenCount) tokens, routed by a launch of its own",
                        error: error, bound: 0))
            }
            for tokenCount in [4, layer.tokenCounts.last ?? 4] {
                let error = try tested.countOfLeaks(tokenCount: tokenCount)
                try onResult(
                    Result(
                        operation: "moe", name: "\(layer.name), \(tokenCount) tokens, NaN in one", error: error,
                        bound: 0))
            }
            let error = try tested.countOfChanges(tokenCount: 3, replayCount: layer.replayCount)
            try onResult(
                Result(
                    operation: "moe", name: "\(layer.name), \(layer.replayCount) replays of a graph, one in 50 read",
                    error: error,
                    bound: 0))
        }
    }
}

/// A layer in the table.
struct ExpertLayer {
    let name: String
    var configuration: MoEConfiguration
    let tokenCounts: [Int]
    var replayCount = 100
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

    static let all: [ExpertLayer] = {
        let few = [0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33]
        let many = [63, 64, 65, 127, 128, 129, 257]
        let top1 = Routing(topK: 1, score: .sigmoid, weightPlacement: .input)
        let top8 = Routing(topK: 8, score: .softmax(renormalized: true), weightPlacement: .output)
        var replayed = ExpertLayer(
            "nvfp4 E16 top-1", .nvfp4, hidden: 256, intermediate: 384, experts: 16, top1, tokenCounts: few + many)
        replayed.replayCount = 10_000
        var layers = [
            replayed,
            ExpertLayer(
                "nvfp4 E16 top-1 shared", .nvfp4, hidden: 512, intermediate: 256, experts: 16, top1,
                tokenCounts: [1, 8, 33, 128, 300]
            ) { $0.hasSharedExpert = true },
            ExpertLayer(
                "nvfp4 E128 top-8", .nvfp4, hidden: 256, intermediate: 192, experts: 128, top8,
                tokenCounts: [1, 2, 5, 17, 64, 128, 129, 400]),
            ExpertLayer(
                "nvfp4 E256 top-8 not renormalized", .nvfp4, hidden: 128, intermediate: 128, experts: 256,
                Routing(topK: 8, score: .softmax(renormalized: false), weightPlacement: .output),
                tokenCounts: [1, 16, 130]),
            ExpertLayer(
                "mxfp4 E32 top-4 biases clamped", .mxfp4, hidden: 288, intermediate: 352, experts: 32,
                Routing(topK: 4, score: .softmaxOfSelected, weightPlacement: .output),
                tokenCounts: [1, 3, 8, 32, 128, 260]
            ) {
                $0.activation = .clampedSwiglu(alpha: 1.702, limit: 7)
                $0.hasBiases = true
            },
            ExpertLayer(
                "nvfp4 208 x 176 E8 top-2", .nvfp4, hidden: 208, intermediate: 176, experts: 8,
                Routing(topK: 2, score: .softmax(renormalized: true), weightPlacement: .output),
                tokenCounts: [1, 2, 9, 32, 65, 129]),
            ExpertLayer(
                "bf16 E8 top-2", .bfloat16, hidden: 192, intermediate: 128, experts: 8,
                Routing(topK: 2, score: .softmax(renormalized: true), weightPlacement: .output),
                tokenCounts: [1, 8, 33, 140]),
            ExpertLayer(
                "nvfp4 E8 top-2, long sums", .nvfp4, hidden: 2880, intermediate: 1536, experts: 8,
                Routing(topK: 2, score: .softmax(renormalized: true), weightPlacement: .output),
                tokenCounts: [1, 4, 24, 160]),
        ]
        for backend in [MoEBackend.latency, .throughput] {
            let counts = backend == .latency ? few + [64, 128] : few.dropFirst() + many
            layers.append(
                ExpertLayer(
                    "\(backend.rawValue) only, nvfp4 E8 top-2", .nvfp4, hidden: 320, intermediate: 256, experts: 8,
                    Routing(topK: 2, score: .softmax(renormalized: true), weightPlacement: .output),
                    tokenCounts: Array(counts)
                ) { $0.backend = backend })
        }
        return layers
    }()
}

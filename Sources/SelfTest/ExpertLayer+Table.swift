internal import CUDAKernels
internal import Kernels
internal import Models

extension ExpertLayer {
    /// Layers with BF16 activations.
    static let table: [ExpertLayer] = {
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
                tokenCounts: [1, 8, 33, 128, 300, 1000, 1290]
            ) { $0.sharedExpertCount = 1 },
            ExpertLayer(
                "nvfp4 E8 top-2, two shared", .nvfp4, hidden: 256, intermediate: 192, experts: 8,
                Routing(topK: 2, score: .softmax(renormalized: true), weightPlacement: .output),
                tokenCounts: [1, 8, 33, 129, 260]
            ) { $0.sharedExpertCount = 2 },
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
                tokenCounts: [1, 3, 8, 32, 128, 260, 500, 700]
            ) {
                $0.activation = .clampedSwiglu(alpha: 1.702, limit: 7)
                $0.hasBiases = true
            },
            ExpertLayer(
                "nvfp4 208 x 176 E8 top-2", .nvfp4, hidden: 208, intermediate: 176, experts: 8,
                Routing(topK: 2, score: .softmax(renormalized: true), weightPlacement: .output),
                tokenCounts: [1, 2, 9, 32, 65, 129, 270, 330]),
            ExpertLayer(
                "bf16 E8 top-2", .bfloat16, hidden: 192, intermediate: 128, experts: 8,
                Routing(topK: 2, score: .softmax(renormalized: true), weightPlacement: .output),
                tokenCounts: [1, 8, 33, 140, 330]),
            ExpertLayer(
                "nvfp4 E8 top-2, long sums", .nvfp4, hidden: 2880, intermediate: 1536, experts: 8,
                Routing(topK: 2, score: .softmax(renormalized: true), weightPlacement: .output),
                tokenCounts: [1, 4, 24, 160, 270, 400]),
        ]
        let top2 = Routing(topK: 2, score: .softmax(renormalized: true), weightPlacement: .output)
        // An H100 has as many SMs as these have blocks of 16 outputs, or half as many.
        layers += [
            ExpertLayer(
                "nvfp4 E16 top-8, as many outputs as SMs", .nvfp4, hidden: 2048, intermediate: 112, experts: 16, top8,
                tokenCounts: [1, 2, 33]),
            ExpertLayer(
                "nvfp4 E4 top-1, two blocks of outputs an SM", .nvfp4, hidden: 4160, intermediate: 176, experts: 4,
                top1, tokenCounts: [1, 9]),
            ExpertLayer(
                "mxfp4 E8 top-2 relu2 biases shared, as many outputs as SMs", .mxfp4, hidden: 2080, intermediate: 96,
                experts: 8, top2, tokenCounts: [1, 9]
            ) {
                $0.activation = .reluSquared
                $0.hasBiases = true
                $0.sharedExpertCount = 1
            },
        ]
        layers += [
            ExpertLayer(
                "nvfp4 E8 top-2 geglu", .nvfp4, hidden: 256, intermediate: 192, experts: 8, top2,
                tokenCounts: [1, 8, 9, 33, 129]
            ) { $0.activation = .geglu },
            ExpertLayer(
                "nvfp4 E8 top-2 relu2", .nvfp4, hidden: 320, intermediate: 208, experts: 8, top2,
                tokenCounts: [1, 2, 8, 9, 33, 129, 270, 400]
            ) { $0.activation = .reluSquared },
            ExpertLayer(
                "mxfp4 E16 top-1 relu2 biases shared", .mxfp4, hidden: 256, intermediate: 416, experts: 16, top1,
                tokenCounts: [1, 9, 33, 129]
            ) {
                $0.activation = .reluSquared
                $0.hasBiases = true
                $0.sharedExpertCount = 1
            },
            ExpertLayer(
                "nvfp4 E256 top-8 in groups", .nvfp4, hidden: 128, intermediate: 128, experts: 256, top8,
                tokenCounts: [1, 9, 33, 129]
            ) {
                $0.routing = .biasedSigmoid(groupCount: 8, chosenGroupCount: 4, renormalized: true)
                $0.weightFactor = 2.5
            },
        ]
        for backend in [MoEBackend.latency, .throughput] {
            let counts = backend == .latency ? few + [64, 128] : few.dropFirst() + many + [288, 320, 321, 576, 577]
            layers.append(
                ExpertLayer(
                    "\(backend.rawValue) only, nvfp4 E8 top-2", .nvfp4, hidden: 320, intermediate: 256, experts: 8,
                    Routing(topK: 2, score: .softmax(renormalized: true), weightPlacement: .output),
                    tokenCounts: Array(counts)
                ) { $0.backend = backend })
        }
        return layers
    }()

    /// Layers whose activations are NVFP4.
    static let quantized: [ExpertLayer] = {
        let top1 = Routing(topK: 1, score: .sigmoid, weightPlacement: .input)
        let top2 = Routing(topK: 2, score: .softmax(renormalized: true), weightPlacement: .output)
        var layers = [
            ExpertLayer(
                "w4a4 E16 top-1 shared", .nvfp4, hidden: 256, intermediate: 384, experts: 16, top1,
                tokenCounts: [0, 1, 2, 8, 9, 32, 33, 65, 129]
            ) { $0.sharedExpertCount = 1 },
            ExpertLayer(
                "w4a4 E8 top-2 biases clamped", .nvfp4, hidden: 208, intermediate: 176, experts: 8, top2,
                tokenCounts: [1, 8, 9, 33, 129]
            ) {
                $0.activation = .clampedSwiglu(alpha: 1.702, limit: 7)
                $0.hasBiases = true
            },
            ExpertLayer(
                "w4a4 E8 top-2 relu2", .nvfp4, hidden: 320, intermediate: 208, experts: 8, top2,
                tokenCounts: [1, 8, 9, 33, 129]
            ) { $0.activation = .reluSquared },
        ]
        for placement in [Routing.WeightPlacement.input, .output] {
            var layer = ExpertLayer(
                "w4a4 E8 top-2, computed scales, weights on \(placement)", .nvfp4, hidden: 320, intermediate: 256,
                experts: 8, Routing(topK: 2, score: .softmax(renormalized: true), weightPlacement: placement),
                tokenCounts: [1, 8, 9, 33, 129])
            layer.hasInputScales = false
            layers.append(layer)
        }
        return layers.map { layer in
            var layer = layer
            layer.configuration.activationPrecision = .nvfp4
            return layer
        }
    }()
}

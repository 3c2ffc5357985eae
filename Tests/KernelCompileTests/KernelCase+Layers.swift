import CUDA
import Kernels

@testable import CUDAKernels

/// The kernels of layers, as layers load them.
extension KernelCase {
    private static let scout = layer(
        hiddenSize: 5120, intermediateSize: 8192, expertCount: 16, topK: 1, .sigmoid, .swiglu, .nvfp4)
    private static let gptOSS = layer(
        hiddenSize: 2880, intermediateSize: 2880, expertCount: 128, topK: 4, .softmaxOfSelected,
        .clampedSwiglu(alpha: 1.702, limit: 7), .mxfp4)
    private static let qwen3 = layer(
        hiddenSize: 2048, intermediateSize: 768, expertCount: 128, topK: 8, .softmaxOfSelected, .geglu, .nvfp4)
    private static let nemotron = layer(
        hiddenSize: 2688, intermediateSize: 1856, expertCount: 256, topK: 8,
        .biasedSigmoid(groupCount: 8, chosenGroupCount: 4, renormalized: true), .reluSquared, .nvfp4)
    private static let bfloat16 = layer(
        hiddenSize: 2048, intermediateSize: 768, expertCount: 128, topK: 8, .softmaxOfSelected, .swiglu, .bfloat16)

    private static let attention = ExpertShape(.nvfp4, rowCount: 5120, columnCount: 5120)
    private static let mxfp4 = ExpertShape(.mxfp4, rowCount: 4096, columnCount: 2880)
    private static let float8 = ExpertShape(.float8, rowCount: 5120, columnCount: 5120)
    private static let head = ExpertShape(.bfloat16, rowCount: 202048, columnCount: 5120)

    private static func layer(
        hiddenSize: Int, intermediateSize: Int, expertCount: Int, topK: Int, _ routing: Route.Method,
        _ activation: ExpertActivation, _ format: WeightFormat
    ) -> MoEConfiguration {
        var configuration = MoEConfiguration(
            hiddenSize: hiddenSize, intermediateSize: intermediateSize, expertCount: expertCount,
            routing: Routing(topK: topK, score: .sigmoid, weightPlacement: .output), activation: activation,
            format: format, maximumTokenCount: 4096)
        configuration.routing = routing
        return configuration
    }

    /// Rows that are rounded for W4A4.
    static func rounding() throws -> [KernelCase] {
        let steps = [MoEBackend.latency, .throughput].flatMap { QuantizedExperts.rounding(scout, $0) }
        return try Set(steps).sorted { "\($0)" < "\($1)" }.flatMap { step in
            try cases(
                for: step.output == .linear && step.columnCount == scout.hiddenSize ? portable : hopper,
                ["LDG", "STG"], "\(step.input) to \(step.output), \(step.columnCount) columns"
            ) {
                try step.program(from: .embedded, for: $0)
            }
        }
    }

    // MARK: - Few tokens

    static func streaming() throws -> [KernelCase] {
        let experts: [(String, MoEConfiguration, [Int])] = [
            ("scout", scout, [1, 8, 32, 128]), ("gpt-oss", gptOSS, [1, 2, 8, 16]), ("qwen3", qwen3, [1, 2, 4]),
            ("nemotron", nemotron, [1, 8]), ("bf16", bfloat16, [1, 8]),
        ]
        let linear: [(String, ExpertShape, [Int])] = [
            ("attention", attention, [1, 2, 8]), ("mxfp4", mxfp4, [8]), ("fp8", float8, [1, 8, 32]),
            ("head", head, [1, 8, 16]),
        ]
        let cases = try experts.flatMap { name, configuration, tokenCounts in
            let route = try configuration.streamedRoute()
            return try tokenCounts.flatMap { try streaming(name, configuration.shape, route, tokenCount: $0) }
        }
        let linearCases = try linear.flatMap { name, shape, tokenCounts in
            try tokenCounts.flatMap { try streaming(name, shape, tokenCount: $0) }
        }
        let single = try [ExpertShape.Products.up, .down].flatMap { products in
            try [1, 8].flatMap {
                try streaming("scout, \(products) alone", scout.shape, tokenCount: $0) { $0.only(products) }
            }
        }
        let early = try [("scout", scout), ("gpt-oss", gptOSS), ("qwen3", qwen3)].flatMap { name, configuration in
            try streaming("\(name), routed early", for: hopper) {
                MoEStream.early(configuration.shape, topK: configuration.topK, on: resources($0))
            }
        }
        return cases + linearCases + single + early
    }

    /// Those for two and for eight tokens are compiled for all architectures, with as long a pipeline as fits there.
    private static func streaming(
        _ name: String, _ shape: ExpertShape, _ route: Route? = nil, tokenCount: Int,
        _ change: (MoEStream) -> MoEStream = { $0 }
    ) throws -> [KernelCase] {
        try streaming("\(name), \(tokenCount) tokens", for: [2, 8].contains(tokenCount) ? withCopyEngine : hopper) {
            MoEStream(shape, route: route, tokenCount: tokenCount, on: resources($0)).map(change)
        }
    }

    private static func streaming(
        _ instance: String, for architectures: [Architecture], _ kernel: (Architecture) -> MoEStream?
    ) throws -> [KernelCase] {
        try cases(for: architectures, ["HMMA", "UBLKCP", "LDGSTS"], instance) { architecture in
            guard let kernel = kernel(architecture) else {
                throw CUDAError(.unsupported, "\(instance): no pipeline fits on \(architecture)")
            }
            return try kernel.program(from: .embedded, for: architecture)
        }
    }

    // MARK: - Many tokens

    static func grouping() throws -> [KernelCase] {
        var shared = nemotron
        shared.sharedExpertCount = 1
        // Those of one row a token and of several differ in the second product only.
        let quantized = [1, 2].map { topK in
            var configuration = scout
            (configuration.activationPrecision, configuration.topK) = (.nvfp4, topK)
            return QuantizedExperts.gemms(configuration)
        }
        let experts: [(String, Set<MoEGemm>)] =
            [("scout", scout), ("gpt-oss", gptOSS), ("qwen3", qwen3), ("nemotron", shared), ("bf16", bfloat16)]
            .map { ($0, GroupedExperts.gemms(for: $1)) }
            + [("scout, w4a4", quantized[0].union(quantized[1]))]
        let linear = [("attention", attention), ("fp8", float8), ("head", head)]
            .map { ($0, Set([GroupedMatrix.gemm($1)])) }
        let products = try (experts + linear).flatMap { name, gemms in
            try gemms.map { ($0, instance(name, $0)) }.sorted { $0.1 < $1.1 }.flatMap { gemm, instance in
                try cases(for: hopper, ["HGMMA", "UBLKCP"], instance) { try gemm.program(from: .embedded, for: $0) }
            }
        }
        let packing = try [MoEPack.Layout.rows, .tokens, .swizzledTokens].flatMap { layout in
            try cases(for: portable, ["LDG", "STG"], "\(layout)") {
                try MoEPack(slabCount: 80, layout: layout).program(from: .embedded, for: $0)
            }
        }
        let combining = try cases(for: portable, ["LDG", "STG"]) {
            try MoECombine(columnCount: 2880, topK: 4).program(from: .embedded, for: $0)
        }
        let ceiling = try cases(for: hopper, ["HGMMA"]) { try ProductCeiling.program(from: .embedded, for: $0) }
        return products + packing + combining + ceiling
    }

    private static func instance(_ name: String, _ gemm: MoEGemm) -> String {
        let parts = [
            name, "\(gemm.shape.products)", "blocks of \(gemm.rowCount) rows", gemm.hasOneRow ? "one row a token" : nil,
            gemm.gathers ? "gathers" : nil,
        ]
        return parts.compactMap { $0 }.joined(separator: ", ")
    }
}

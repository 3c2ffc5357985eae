import CUDA
import FP4
import Testing

@testable import CUDAKernels

/// A kernel as it is compiled for tests, and what has to come out.
struct KernelCase: Sendable, CustomTestStringConvertible {
    /// From Ampere on; Hopper and Blackwell in the form that has their own instructions.
    static let portable = [(8, 0), (8, 9), (9, 0), (10, 0), (12, 0)].map { Architecture($0.0, $0.1) }
    /// What has Hopper's copy engine.
    static let withCopyEngine = [(9, 0), (10, 0), (12, 0)].map { Architecture($0.0, $0.1) }

    let program: KernelProgram
    /// What its templates' parameters are for, if it has templates.
    var instance = ""
    /// Machine instructions that must be there; their suffixes are not compared.
    let instructions: [String]

    var testDescription: String {
        let definitions = program.options.map { String($0.split(separator: "=", maxSplits: 1).last ?? "") }
        let words = [program.name] + definitions + [instance] + ["for \(program.architecture)"]
        return words.filter { !$0.isEmpty }.joined(separator: " ")
    }

    /// Every kernel, with at least one set of its definitions, for every architecture that it is meant for.
    static let all = memory + comparing + repacking + streaming + grouping + routing + quantizing

    private static let memory = StreamKernel.candidates.flatMap { kernel in
        let isBulk = kernel.path.hasPrefix("sm90/")
        return cases(for: isBulk ? withCopyEngine : portable, [isBulk ? "UBLKCP" : "LDG"]) {
            try kernel.program(from: .embedded, for: $0)
        }
    }

    private static let comparing: [KernelCase] =
        cases(for: portable, ["LDG"]) { try KernelSources.embedded.program(WordComparison.path, for: $0) }
        + [
            QuantizeRows(input: .linear, output: .linear, columnCount: 5120),
            QuantizeRows(input: .linear, output: .packed, columnCount: 2880),
            QuantizeRows(input: .packed, output: .packed, columnCount: 768),
        ].flatMap { step in
            cases(for: step.output == .linear ? portable : [Architecture(9, 0)], ["LDG", "STG"], "\(step)") {
                try step.program(from: .embedded, for: $0)
            }
        }

    private static let repacking = WeightFormat.allCases.flatMap { format in
        [false, true].flatMap { isPaired in
            cases(
                for: format == .nvfp4 && isPaired ? portable : [Architecture(9, 0)], ["LDG", "STG"],
                "\(format)\(isPaired ? " pair" : "")"
            ) {
                try RepackWeights(format: format, isPaired: isPaired).program(from: .embedded, for: $0)
            }
        }
    }

    // The layers of Scout, gpt-oss-120b, Qwen3-30B-A3B and Nemotron 3 Nano, and a BF16 matrix.
    private static let scout = ExpertShape(.nvfp4, hiddenSize: 5120, intermediateSize: 8192, activation: .swiglu)
    private static let gptOSS = ExpertShape(
        .mxfp4, hiddenSize: 2880, intermediateSize: 2880, activation: .clampedSwiglu(alpha: 1.702, limit: 7))
    private static let qwen3 = ExpertShape(.nvfp4, hiddenSize: 2048, intermediateSize: 768, activation: .geglu)
    private static let nemotron = ExpertShape(
        .nvfp4, hiddenSize: 2688, intermediateSize: 1856, activation: .reluSquared)
    private static let attention = ExpertShape(.nvfp4, rowCount: 5120, columnCount: 5120)
    private static let fp8 = ExpertShape(.float8, rowCount: 5120, columnCount: 5120)
    private static let head = ExpertShape(.bfloat16, rowCount: 202048, columnCount: 5120)

    private static let grouping: [KernelCase] = {
        let hopper = [Architecture(9, 0)]
        let products = [
            ("scout", scout, 96, true, false), ("scout, many rows", scout, 144, true, false),
            ("gpt-oss", gptOSS, 64, false, false), ("gpt-oss, many rows", gptOSS, 144, false, true),
            ("qwen3", qwen3, 96, false, true), ("nemotron", nemotron, 144, false, true),
            ("nemotron, few rows", nemotron, 64, false, false), ("nemotron, more rows", nemotron, 96, false, true),
            ("attention", attention, 128, true, true), ("head", head, 128, true, true), ("fp8", fp8, 64, true, true),
        ]
        .flatMap { name, shape, rowCount, hasOneRow, gathers in
            cases(for: hopper, ["HGMMA", "UBLKCP"], name) {
                try MoEGemm(shape: shape, hasOneRow: hasOneRow, rowCount: rowCount, gathers: gathers)
                    .program(from: .embedded, for: $0)
            }
        }
        let packing = [false, true].flatMap { packsTokens in
            cases(for: portable, ["LDG", "STG"], packsTokens ? "tokens" : "rows") {
                try MoEPack(slabCount: 80, packsTokens: packsTokens).program(from: .embedded, for: $0)
            }
        }
        let combining = cases(for: portable, ["LDG", "STG"]) {
            try MoECombine(columnCount: 2880, topK: 4).program(from: .embedded, for: $0)
        }
        let ceiling = cases(for: hopper, ["HGMMA"]) { try ProductCeiling.program(from: .embedded, for: $0) }
        return products + packing + combining + ceiling
    }()

    private static let streaming: [KernelCase] = {
        let scoutRoute = try? Route(.sigmoid, logits: .bfloat16, expertCount: 16, topK: 1, blockRowCounts: [8])
        let qwen3Route = try? Route(.softmaxOfSelected, expertCount: 128, topK: 8, blockRowCounts: [8])
        let groups = Route.Method.biasedSigmoid(groupCount: 8, chosenGroupCount: 4, renormalized: true)
        let groupsRoute = try? Route(groups, expertCount: 256, topK: 8, blockRowCounts: [8])
        let kernels = [
            ("scout", scout, scoutRoute, [1, 8, 32, 128]), ("gpt-oss", gptOSS, nil, [1, 16]),
            ("qwen3", qwen3, qwen3Route, [1, 2]), ("nemotron", nemotron, groupsRoute, [1, 8]), ("head", head, nil, [1]),
            ("fp8", fp8, nil, [1, 32]),
        ].flatMap { name, shape, route, tokenCounts in tokenCounts.map { (name, shape, route, $0) } }
        return kernels.flatMap { name, shape, route, tokenCount in
            cases(
                for: tokenCount == 8 ? withCopyEngine : [Architecture(9, 0)], ["HMMA", "UBLKCP", "LDGSTS"],
                "\(name), \(tokenCount) tokens"
            ) {
                try #require(
                    MoEStream(
                        shape, route: route, tokenCount: tokenCount, for: $0, sharedByteCount: 232448)
                )
                .program(from: .embedded, for: $0)
            }
        }
    }()

    /// All formats and layouts, and the widest rows that have a scale each.
    private static let quantizing: [KernelCase] = {
        let quantizations = [
            try? Quantize(.nvfp4(.given, .exact), tiling: .tiles128x4, columnCount: 5120),
            try? Quantize(.nvfp4(.perTensor, .fast), columnCount: 2880),
            try? Quantize(.nvfp4(.perRow, .exact), input: .float16, tiling: .tiles8x4, columnCount: 65536),
            try? Quantize(.mxfp4, columnCount: 2880),
        ]
        return quantizations.compactMap { $0 }.enumerated().flatMap { index, quantize in
            cases(for: index == 0 ? portable : [Architecture(9, 0)], ["LDG", "STG", "FADD"]) {
                try quantize.program(from: .embedded, for: $0)
            }
        }
    }()

    /// The routers of Scout, Qwen3-30B-A3B and DeepSeek-V3, and the most experts.
    private static let routing: [KernelCase] = {
        let groups = Route.Method.biasedSigmoid(groupCount: 8, chosenGroupCount: 4, renormalized: true)
        let routes = [
            try? Route(.sigmoid, logits: .bfloat16, expertCount: 16, topK: 1, blockRowCounts: MoELayer.blockRowCounts),
            try? Route(.softmaxOfSelected, expertCount: 128, topK: 8, blockRowCounts: MoELayer.blockRowCounts),
            try? Route(groups, expertCount: 256, topK: 8, blockRowCounts: [32]),
            try? Route(.softmax, expertCount: 512, topK: 16, blockRowCounts: [32]),
        ]
        return routes.compactMap { $0 }.enumerated().flatMap { index, route in
            cases(for: index == 0 ? portable : [Architecture(9, 0)], ["ATOMS", "POPC"]) {
                try route.program(from: .embedded, for: $0, isCluster: false)
            }
                + cases(for: index == 0 ? withCopyEngine : [Architecture(9, 0)], ["ATOMS", "POPC", "UCGABAR_ARV"]) {
                    try route.program(from: .embedded, for: $0, isCluster: true)
                }
        }
    }()

    private static func cases(
        for architectures: [Architecture], _ instructions: [String], _ instance: String = "",
        _ program: (Architecture) throws -> KernelProgram
    ) -> [KernelCase] {
        architectures.compactMap { architecture in
            (try? program(architecture)).map {
                KernelCase(program: $0, instance: instance, instructions: instructions)
            }
        }
    }
}

import CUDA
import CUDAKernels
import FP4
import Testing

/// A kernel as it is compiled for tests, and what has to come out.
struct KernelCase: Sendable, CustomTestStringConvertible {
    /// From Ampere on; Hopper and Blackwell in the form that has their own instructions.
    static let portable = [(8, 0), (8, 9), (9, 0), (10, 0), (12, 0)].map { Architecture($0.0, $0.1) }
    /// What has Hopper's copy engine.
    static let withCopyEngine = [(9, 0), (10, 0), (12, 0)].map { Architecture($0.0, $0.1) }

    let program: KernelProgram
    /// Machine instructions that must be there; their suffixes are not compared.
    let instructions: [String]

    var testDescription: String {
        let definitions = program.options.map { $0.split(separator: "=", maxSplits: 1).last ?? "" }
        return "\(program.name) \(definitions.joined(separator: " ")) for \(program.architecture)"
    }

    /// Every kernel, with at least one set of its definitions, for every architecture that it is meant for.
    static let all: [KernelCase] = {
        StreamKernel.candidates.flatMap { kernel in
            let isBulk = kernel.path.hasPrefix("sm90/")
            return cases(for: isBulk ? withCopyEngine : portable, [isBulk ? "UBLKCP" : "LDG"]) {
                try kernel.program(from: .embedded, for: $0)
            }
        } + quantizing + routing
    }()

    /// All formats and layouts, and the widest rows that have a scale each.
    private static let quantizing: [KernelCase] = {
        let quantizations = [
            try? Quantize(.nvfp4(.given, .exact), tiling: .tiles128x4, columnCount: 5120),
            try? Quantize(.nvfp4(.perTensor, .fast), columnCount: 2880),
            try? Quantize(.nvfp4(.perRow, .exact), input: .float16, tiling: .tiles8x4, columnCount: 65536),
            try? Quantize(.mxfp4, columnCount: 2880),
        ]
        return quantizations.compactMap { $0 }.flatMap { quantize in
            cases(for: portable, ["LDG", "STG", "FADD"]) { try quantize.program(from: .embedded, for: $0) }
        }
    }()

    /// The routers of Scout, Qwen3-30B-A3B and DeepSeek-V3, and the most experts.
    private static let routing: [KernelCase] = {
        let groups = Route.Method.biasedSigmoid(groupCount: 8, chosenGroupCount: 4, renormalized: true)
        let routes = [
            try? Route(.sigmoid, logits: .bfloat16, expertCount: 16, topK: 1, blockRowCounts: [32, 128]),
            try? Route(.softmaxOfSelected, expertCount: 128, topK: 8, blockRowCounts: [32, 128]),
            try? Route(groups, expertCount: 256, topK: 8, blockRowCounts: [32]),
            try? Route(.softmax, expertCount: 512, topK: 16, blockRowCounts: [32]),
        ]
        return routes.compactMap { $0 }.flatMap { route in
            cases(for: portable, ["ATOMS", "POPC"]) {
                try route.program(from: .embedded, for: $0, isCluster: false)
            }
                + cases(for: withCopyEngine, ["ATOMS", "POPC", "UCGABAR_ARV"]) {
                    try route.program(from: .embedded, for: $0, isCluster: true)
                }
        }
    }()

    private static func cases(
        for architectures: [Architecture], _ instructions: [String],
        _ program: (Architecture) throws -> KernelProgram
    ) -> [KernelCase] {
        architectures.compactMap { architecture in
            (try? program(architecture)).map { KernelCase(program: $0, instructions: instructions) }
        }
    }
}

import CUDA
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
    static let all = memory + repacking + streaming

    private static let memory = StreamKernel.candidates.flatMap { kernel in
        let isBulk = kernel.path.hasPrefix("sm90/")
        return cases(for: isBulk ? withCopyEngine : portable, [isBulk ? "UBLKCP" : "LDG"]) {
            try kernel.program(from: .embedded, for: $0)
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

    /// The layers of Scout, gpt-oss-120b and Qwen3-30B-A3B, and a BF16 matrix.
    private static let streaming: [KernelCase] = {
        let scout = ExpertShape(.nvfp4, hiddenSize: 5120, intermediateSize: 8192, activation: .swiglu)
        let gptOSS = ExpertShape(
            .mxfp4, hiddenSize: 2880, intermediateSize: 2880, activation: .clampedSwiglu(alpha: 1.702, limit: 7))
        let qwen3 = ExpertShape(.nvfp4, hiddenSize: 2048, intermediateSize: 768, activation: .geglu)
        let head = ExpertShape(.bfloat16, rowCount: 202048, columnCount: 5120)
        let kernels = [
            ("scout", scout, [1, 8, 32, 128]), ("gpt-oss", gptOSS, [1, 16]), ("qwen3", qwen3, [2]), ("head", head, [1]),
        ].flatMap { name, shape, tokenCounts in tokenCounts.map { (name, shape, $0) } }
        return kernels.flatMap { name, shape, tokenCount in
            cases(
                for: tokenCount == 8 ? withCopyEngine : [Architecture(9, 0)], ["HMMA", "UBLKCP", "LDGSTS"],
                "\(name), \(tokenCount) tokens"
            ) {
                try #require(MoEStream(shape, tokenCount: tokenCount, sharedByteCount: 232448))
                    .program(from: .embedded, for: $0)
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

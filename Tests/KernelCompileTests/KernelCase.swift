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
    static let hopper = [Architecture(9, 0)]

    let program: KernelProgram
    /// What its templates' parameters are for, if it has templates.
    let instance: String
    /// Machine instructions that must be there; their suffixes are not compared.
    let instructions: [String]

    var testDescription: String {
        let definitions = program.options.map { String($0.split(separator: "=", maxSplits: 1).last ?? "") }
        let words = [program.name] + definitions + [instance] + ["for \(program.architecture)"]
        return words.filter { !$0.isEmpty }.joined(separator: " ")
    }

    /// Every kernel, with at least one set of its definitions, for every architecture that it is meant for.
    static func all() throws -> [KernelCase] {
        // Those that take longest first, since several are compiled at a time.
        try grouping() + streaming() + memory() + repacking() + quantizing() + routing() + rounding()
    }

    /// What a GPU of an architecture has: an H100, a B200, or the shared memory of smaller ones.
    static func resources(_ architecture: Architecture) -> MoEStream.Resources {
        let isLarge = 9...10 ~= architecture.major
        return MoEStream.Resources(
            architecture: architecture, sharedByteCount: (isLarge ? 227 : 99) << 10,
            multiprocessorCount: architecture.major == 9 ? 132 : 148)
    }

    static func cases(
        for architectures: [Architecture], _ instructions: [String], _ instance: String = "",
        _ program: (Architecture) throws -> KernelProgram
    ) rethrows -> [KernelCase] {
        try architectures.map {
            KernelCase(program: try program($0), instance: instance, instructions: instructions)
        }
    }

    /// The kernels that move or compare memory.
    private static func memory() throws -> [KernelCase] {
        try MemoryKernel.candidates.flatMap { kernel in
            let isBulk = kernel.path.hasPrefix("sm90/")
            return try cases(for: isBulk ? withCopyEngine : portable, [isBulk ? "UBLKCP" : "LDG"]) {
                try kernel.program(from: .embedded, for: $0)
            }
        } + cases(for: portable, ["LDG"]) { try KernelSources.embedded.program(WordComparison.path, for: $0) }
    }

    private static func repacking() throws -> [KernelCase] {
        try WeightFormat.allCases.flatMap { format in
            try [false, true].flatMap { isPaired in
                try cases(
                    for: format == .nvfp4 && isPaired ? portable : hopper, ["LDG", "STG"],
                    "\(format)\(isPaired ? " pair" : "")"
                ) {
                    try RepackWeights(format: format, isPaired: isPaired).program(from: .embedded, for: $0)
                }
            }
        }
    }

    /// All formats and layouts, and the widest rows that have a scale each.
    private static func quantizing() throws -> [KernelCase] {
        let quantizations = [
            try Quantize(.nvfp4(.given, .exact), tiling: .tiles128x4, columnCount: 5120),
            try Quantize(.nvfp4(.perTensor, .fast), columnCount: 2880),
            try Quantize(.nvfp4(.perRow, .exact), input: .float16, tiling: .tiles8x4, columnCount: 65536),
            try Quantize(.mxfp4, columnCount: 2880),
        ]
        return try quantizations.enumerated().flatMap { index, quantize in
            try cases(for: index == 0 ? portable : hopper, ["LDG", "STG", "FADD"]) {
                try quantize.program(from: .embedded, for: $0)
            }
        }
    }

    /// The routers of Scout, Qwen3-30B-A3B and DeepSeek-V3, and the most experts.
    private static func routing() throws -> [KernelCase] {
        let groups = Route.Method.biasedSigmoid(groupCount: 8, chosenGroupCount: 4, renormalized: true)
        let routes = [
            try Route(.sigmoid, logits: .bfloat16, expertCount: 16, topK: 1, blockRowCounts: MoELayer.blockRowCounts),
            try Route(.softmaxOfSelected, expertCount: 128, topK: 8, blockRowCounts: MoELayer.blockRowCounts),
            try Route(groups, expertCount: 256, topK: 8, blockRowCounts: [32]),
            try Route(.softmax, expertCount: 512, topK: 16, blockRowCounts: [32]),
        ]
        return try routes.enumerated().flatMap { index, route in
            try cases(for: index == 0 ? portable : hopper, ["ATOMS", "POPC"]) {
                try route.program(from: .embedded, for: $0, isCluster: false)
            }
                + cases(for: index == 0 ? withCopyEngine : hopper, ["ATOMS", "POPC", "UCGABAR_ARV"]) {
                    try route.program(from: .embedded, for: $0, isCluster: true)
                }
        }
    }
}

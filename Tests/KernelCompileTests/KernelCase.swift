import CUDA
import CUDAKernels
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

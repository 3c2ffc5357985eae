import ArgumentParser
import CUDA
import CUDAKernels
import SelfTest

struct SelfTestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "selftest",
        abstract: "Compare every operation of a GPU with the CPU, on random inputs.",
        discussion: """
            The error of a product is the root mean square of the difference, divided by that of the CPU's result; that \
            of quantize is the number of wrong bytes, that of route the largest error of a weight. The exit code is 1 if \
            an error is too large.
            """)

    /// What can be tested.
    enum Device: String, ExpressibleByArgument, CaseIterable {
        case cuda
    }

    @Option(help: "The device to test: cuda.")
    var device: Device = .cuda

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Seed of all inputs. (default: a random one, which is printed)", valueName: "s"))
    var seed: UInt64?

    @Option(
        help: ArgumentHelp(
            "Operations to test, separated by commas: copy, quantize, route, linear, moe. (default: all)",
            valueName: "op,op,..."))
    var only: OperationList?

    /// Which shapes are tested.
    enum Shapes: String, ExpressibleByArgument, CaseIterable { case all, small }

    @Option(help: "Shapes to test: all, or a few small ones for tools that slow kernels down.")
    var shapes: Shapes = .all

    @Option(help: ArgumentHelp("Test only matrices and layers whose names contain this.", valueName: "text"))
    var layer: String?

    @Flag(help: "Show every comparison, not only those that fail.")
    var verbose = false

    func run() async throws {
        let seed = seed ?? .random(in: 0...0xFFFF_FFFF)
        let loader = try CUDASettings().loader()
        try StandardOutput.print("\(loader.context.device), seed \(seed)")
        var summaries: [(operation: String, count: Int, failureCount: Int, largestError: Double)] = []
        let selection = SelfTest.Selection(
            operations: only?.operations ?? Set(SelfTest.Operation.allCases), isSmall: shapes == .small,
            layerName: layer)
        try SelfTest(loader, seed: seed, selection: selection).run { result in
            if summaries.last?.operation != result.operation { summaries.append((result.operation, 0, 0, 0)) }
            summaries[summaries.count - 1].count += 1
            summaries[summaries.count - 1].failureCount += result.isPassed ? 0 : 1
            summaries[summaries.count - 1].largestError = max(summaries[summaries.count - 1].largestError, result.error)
            if verbose || !result.isPassed {
                try StandardOutput.print(
                    "\(result.isPassed ? "ok    " : "FAILED") \(result.operation): \(result.name): \(result.error), "
                        + "at most \(result.bound)")
            }
        }
        guard !summaries.isEmpty else {
            throw ValidationError(
                "--layer: no matrix or layer of the operations tested has \"\(layer ?? "")\" in its name.")
        }
        for summary in summaries {
            try StandardOutput.print(
                "\(summary.operation): \(summary.count) comparisons, \(summary.failureCount) failed, largest error "
                    + "\(summary.largestError)")
        }
        if summaries.contains(where: { $0.failureCount > 0 }) { throw ExitCode(1) }
    }
}

/// Operations as they are written on the command line.
struct OperationList: ExpressibleByArgument {
    let operations: Set<SelfTest.Operation>

    init?(argument: String) {
        let found = argument.split(separator: ",", omittingEmptySubsequences: false).map {
            SelfTest.Operation(rawValue: String($0))
        }
        let known = found.compactMap { $0 }
        guard !known.isEmpty, known.count == found.count else { return nil }
        operations = Set(known)
    }
}

import ArgumentParser
import CUDA
import CUDAKernels
import SelfTest

struct SelfTestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "selftest",
        abstract: "Compare every operation of a GPU with the CPU, on random inputs.",
        discussion: """
            Errors of products are the root mean square of the difference over that of the CPU's result; those of \
            quantize count wrong bytes, of route the largest error of a weight. The exit code is 1 if one is too large.
            """)

    /// What can be tested.
    enum Device: String, ExpressibleByArgument, CaseIterable {
        case cuda
    }

    @Option(help: "The device to test: cuda.")
    var device: Device = .cuda

    @Option(help: ArgumentHelp("Seed of all inputs. (default: a random one, which is printed)", valueName: "s"))
    var seed: UInt64?

    @Flag(help: "Show every comparison, not only those that fail.")
    var verbose = false

    func run() async throws {
        let seed = seed ?? .random(in: 0...0xFFFF_FFFF)
        let loader = try CUDASettings().loader()
        try StandardOutput.print("\(loader.context.device), seed \(seed)")
        var summaries: [(operation: String, count: Int, failureCount: Int, largestError: Double)] = []
        try SelfTest(loader, seed: seed).run { result in
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
        for summary in summaries {
            try StandardOutput.print(
                "\(summary.operation): \(summary.count) comparisons, \(summary.failureCount) failed, largest error "
                    + "\(summary.largestError)")
        }
        if summaries.contains(where: { $0.failureCount > 0 }) { throw ExitCode(1) }
    }
}

public import ArgumentParser
public import Kernels

/// On what to run.
struct BackendOptions: ParsableArguments {
    @Option(help: "Where to run: auto or cpu; cuda for bench kernels.")
    var device: Device = .auto

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "CPU threads. (default: NIBBLE_THREADS, else the physical cores available to this process)",
            valueName: "n"))
    var threads: Int?

    func validate() throws {
        if let threads, !CPUBackend.threadCounts.contains(threads) {
            throw ValidationError(
                "--threads: expected \(CPUBackend.threadCounts.lowerBound) to "
                    + "\(CPUBackend.threadCounts.upperBound), found \(threads)")
        }
    }

    /// The CPU as the options and the environment ask for it.
    func backend(activations: ActivationPrecision = .full) throws -> CPUBackend {
        try CPUBackend(
            threadCount: threads ?? ProcessSettings.threadCount().value, activationPrecision: activations,
            instructionSet: ProcessSettings.instructionSet().value)
    }
}

/// Where a model runs.
enum Device: String, ExpressibleByArgument, CaseIterable {
    case auto, cpu, cuda
}

extension ActivationPrecision: ExpressibleByArgument {}

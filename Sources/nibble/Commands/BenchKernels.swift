public import ArgumentParser
public import Benchmarking
import CUDA
public import CUDAKernels
import Kernels
import ModelFiles

struct BenchKernels: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernels",
        abstract: "Measure one operation, or one layer, beside what the device does at best.",
        discussion: """
            quantize: activations to NVFP4, with block scales in each layout. route: the choice of experts. linear: a \
            hidden x hidden matrix. moe: the routed experts of a layer. Weights are random and rotated, so that no \
            cache holds them; the limit is the larger of the time to read the bytes and the time of the arithmetic, at \
            rates measured in the same run. With --device cuda launches are timed in CUDA graphs; experts leaves the choice \
            out of moe, and copy measures the fastest copy of memory.
            """)

    @Argument(help: "What to measure: quantize, route, linear, moe; copy, experts on a GPU. (default: all)")
    var operations: [KernelOperation] = []

    @OptionGroup var backendOptions: BackendOptions
    @OptionGroup(title: "Layer") var shapeOptions: LayerShapeOptions

    @Option(
        parsing: .unconditional, help: ArgumentHelp("Numbers of tokens, separated by commas.", valueName: "n,n,..."))
    var tokens: TokenList = TokenList(counts: (0..<10).map { 1 << $0 })

    @Option(parsing: .unconditional, help: ArgumentHelp("Seed of weights, activations and logits.", valueName: "s"))
    var seed: UInt64 = 0

    @Option(help: ArgumentHelp("Also write the result as JSON to a new file.", valueName: "file"))
    var json: String?

    @Option(help: ArgumentHelp("Also draw the times over the tokens to a new SVG file.", valueName: "file"))
    var plot: String?

    @Option(
        help: "Kernels of the experts on a GPU: auto, latency, throughput. (default: NIBBLE_MOE_BACKEND, else auto)")
    var moeBackend: MoEBackend?

    @Option(
        help: """
            Precision of the activations that enter quantized weights: full; nvfp4 (W4A4), for NVFP4 weights; or, on \
            CPUs, int8.
            """)
    var activations: ActivationPrecision = .full

    private var tokenCounts: ClosedRange<Int> { backendOptions.device == .cuda ? 1...65280 : 1...4096 }

    func validate() throws {
        for count in tokens.ids where !tokenCounts.contains(count) {
            throw ValidationError(
                "--tokens: expected \(tokenCounts.lowerBound) to \(tokenCounts.upperBound), found \(count)")
        }
        if Set(tokens.ids).count != tokens.ids.count { throw ValidationError("--tokens: a number is given twice.") }
        if Set(operations).count != operations.count { throw ValidationError("An operation is given twice.") }
        if backendOptions.device != .cuda {
            if let operation = operations.first(where: \.needsGPU) {
                throw ValidationError("\(operation.rawValue) needs --device cuda.")
            }
            if moeBackend != nil { throw ValidationError("--moe-backend needs --device cuda.") }
        } else if backendOptions.threads != nil {
            throw ValidationError("--threads is for CPUs, not for --device cuda.")
        } else if activations == .int8 {
            throw ValidationError("--activations int8 is for CPUs; --device cuda takes full or nvfp4.")
        }
        if let json, json == plot { throw ValidationError("--json and --plot name the same file.") }
    }

    func run() async throws {
        let files = (json: try json.map(ReportFile.init), plot: try plot.map(ReportFile.init))
        switch backendOptions.device {
        case .auto, .cpu:
            let backend = try backendOptions.backend(activations: activations)
            let limits = backend.measureLimits()
            let benchmark = KernelBenchmark(
                backend, shape: try shapeOptions.layerShape(), tokenCounts: tokens.ids, limits: limits, seed: seed)
            try report(backend.deviceName, threadCount: backend.threadCount, limits, to: files, benchmark.run)
        case .cuda:
            let experts = try moeBackend ?? ProcessSettings.moeBackend()
            let loader = try CUDASettings().loader()
            let limits = try CUDAKernelBenchmark.measureLimits(loader)
            let benchmark = try CUDAKernelBenchmark(
                loader, shape: try shapeOptions.layerShape(), tokenCounts: tokens.ids, limits: limits, seed: seed,
                backend: experts, activationPrecision: activations)
            try report(benchmark.deviceName, threadCount: nil, limits, to: files) {
                try benchmark.run($0, onNote: StandardError.print, onRow: $1)
            }
        }
    }

    private func report(
        _ deviceName: String, threadCount: Int?, _ limits: DeviceLimits,
        to files: (json: ReportFile?, plot: ReportFile?),
        _ run: (KernelOperation, (KernelRow) throws -> Void) throws -> Void
    ) throws {
        var report = KernelReport(
            KernelReport.Setup(
                deviceName: deviceName, threadCount: threadCount, shape: try shapeOptions.layerShape(), seed: seed,
                limits: limits))
        try StandardOutput.write(report.header)
        for operation in measured {
            do {
                try run(operation) { row in
                    report.append(row)
                    try StandardOutput.write(KernelReport.line(row))
                    try files.json?.update(JSON.object(report.json).text(indented: true) + "\n")
                    try files.plot?.update(report.svg)
                }
            } catch let error as CUDAError where error.code == .unsupported && operations.isEmpty {
                StandardError.print("\(operation.rawValue) is left out: \(error)")
            }
        }
    }

    /// All operations of the device unless some are named.
    private var measured: [KernelOperation] {
        operations.isEmpty
            ? KernelOperation.allCases.filter { !$0.needsGPU || backendOptions.device == .cuda } : operations
    }
}

extension MoEBackend: ExpressibleByArgument {}

extension KernelOperation: ExpressibleByArgument {}

extension TokenList {
    /// Numbers of tokens rather than ids.
    fileprivate init(counts: [Int]) { ids = counts }
}

extension TokenList: CustomStringConvertible {
    /// The list as it is written on the command line.
    var description: String { ids.map { "\($0)" }.joined(separator: ",") }
}

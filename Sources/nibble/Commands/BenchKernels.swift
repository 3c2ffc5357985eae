public import ArgumentParser
public import Benchmarking
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
            rates measured in the same run.
            """)

    @Argument(help: "What to measure: quantize, route, linear, moe. (default: all)")
    var operations: [KernelOperation] = []

    @OptionGroup var backendOptions: BackendOptions
    @OptionGroup(title: "Layer") var shapeOptions: LayerShapeOptions

    @Option(help: ArgumentHelp("Numbers of tokens, separated by commas.", valueName: "n,n,..."))
    var tokens: TokenList = TokenList(counts: (0..<10).map { 1 << $0 })

    @Option(help: ArgumentHelp("Seed of weights, activations and logits.", valueName: "s"))
    var seed: UInt64 = 0

    @Option(help: ArgumentHelp("Also write the result as JSON to a new file.", valueName: "file"))
    var json: String?

    @Option(help: ArgumentHelp("Also draw the times over the tokens to a new SVG file.", valueName: "file"))
    var plot: String?

    private static let tokenCounts = 1...4096

    func validate() throws {
        for count in tokens.ids where !Self.tokenCounts.contains(count) {
            throw ValidationError(
                "--tokens: expected \(Self.tokenCounts.lowerBound) to \(Self.tokenCounts.upperBound), found \(count)")
        }
        if Set(tokens.ids).count != tokens.ids.count { throw ValidationError("--tokens: a number is given twice.") }
        if Set(operations).count != operations.count { throw ValidationError("An operation is given twice.") }
        if let json, json == plot { throw ValidationError("--json and --plot name the same file.") }
    }

    func run() async throws {
        for case let file? in [json, plot] where FileSystem.kind(of: file) != .missing {
            throw ModelFileError(.inaccessible, file: file, "the file exists already")
        }
        switch backendOptions.device {
        case .auto, .cpu:
            let backend = try backendOptions.backend()
            try measure(on: backend, threadCount: backend.threadCount)
        }
    }

    private func measure<B: BenchmarkDevice>(on backend: B, threadCount: Int?) throws {
        let shape = try shapeOptions.layerShape()
        let limits = try backend.measureLimits()
        let benchmark = KernelBenchmark(backend, shape: shape, tokenCounts: tokens.ids, limits: limits, seed: seed)
        var report = KernelReport(
            KernelReport.Setup(
                deviceName: backend.deviceName, threadCount: threadCount, shape: shape, seed: seed, limits: limits))
        try StandardOutput.write(report.header)
        for operation in operations.isEmpty ? KernelOperation.allCases : operations {
            try benchmark.run(operation) { row in
                report.append(row)
                try StandardOutput.write(KernelReport.line(row))
            }
        }
        if let json {
            try OutputFile.write(JSON.object(report.json).text(indented: true) + "\n", creating: json)
        }
        if let plot { try OutputFile.write(report.svg, creating: plot) }
    }
}

extension KernelOperation: ExpressibleByArgument {}

extension TokenList {
    /// Numbers of tokens rather than ids.
    fileprivate init(counts: [Int]) { ids = counts }
}

extension TokenList: CustomStringConvertible {
    /// The list as it is written on the command line.
    var description: String { ids.map { "\($0)" }.joined(separator: ",") }
}

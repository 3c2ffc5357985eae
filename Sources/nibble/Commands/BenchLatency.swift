import ArgumentParser
import Benchmarking
import Engine
import Kernels
import ModelFiles
import Models

struct BenchLatency: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "latency",
        abstract: "Measure the time to the first token and of each further one.",
        discussion: """
            Prompts and tokens are random. With --load-format dummy the weights are too, in the formats that the \
            configuration announces, so that any config.json can be measured without its checkpoint.
            """)

    /// Where weights come from.
    enum LoadFormat: String, ExpressibleByArgument, CaseIterable {
        case auto, dummy
    }

    @OptionGroup(title: "Model") var modelOptions: ModelOptions

    @Option(help: ArgumentHelp("A config.json in place of a model, with --load-format dummy.", valueName: "file"))
    var config: String?

    @Option(help: "Where weights come from: auto reads the checkpoint, dummy draws them from the seed.")
    var loadFormat: LoadFormat = .auto

    @Option(parsing: .unconditional, help: ArgumentHelp("Tokens of each prompt.", valueName: "n"))
    var inputLen = 512

    @Option(parsing: .unconditional, help: ArgumentHelp("Tokens generated after each prompt.", valueName: "n"))
    var outputLen = 64

    @Option(parsing: .unconditional, help: ArgumentHelp("Sequences at a time.", valueName: "n"))
    var batchSize = 1

    @Option(
        parsing: .unconditional, help: ArgumentHelp("How often to repeat, after one run to warm up.", valueName: "n"))
    var numIters = 5

    @Option(parsing: .unconditional, help: ArgumentHelp("Seed of tokens and dummy weights.", valueName: "s"))
    var seed: UInt64 = 0

    @Option(help: ArgumentHelp("Also write the result as JSON to a new file.", valueName: "file"))
    var json: String?

    func validate() throws {
        for (name, value, range) in [
            ("input-len", inputLen, 1...1 << 24), ("output-len", outputLen, 2...1 << 24),
            ("batch-size", batchSize, 1...512), ("num-iters", numIters, 1...10_000),
        ] where !range.contains(value) {
            throw ValidationError("--\(name): expected \(range.lowerBound) to \(range.upperBound), found \(value)")
        }
        if config != nil, loadFormat != .dummy { throw ValidationError("--config needs --load-format dummy.") }
        if config != nil, modelOptions.model != nil { throw ValidationError("Give --model or --config, not both.") }
    }

    func run() async throws {
        let file = try json.map(ReportFile.init)
        let backend = try modelOptions.backend()
        let (transformer, volume, memory) = try load(backend)
        let benchmark = LatencyBenchmark(
            inputLength: inputLen, outputLength: outputLen, batchSize: batchSize, iterationCount: numIters, seed: seed)
        var bar = ProgressBar("Latency", unit: "iterations")
        let result = try benchmark.run(
            transformer, readBandwidth: { ReadBandwidth.measure(backend, weights: memory) },
            onProgress: { bar.show($0, of: $1) })
        bar.finish()
        let report = LatencyReport(
            benchmark: benchmark, result: result, volume: volume,
            peakResidentByteCount: ProcessMemory.peakResidentByteCount)
        try StandardOutput.write(report.text)
        if let file {
            var members = report.json
            members["model"] = .string(config ?? modelOptions.model ?? "storyteller-nvfp4")
            members["cpu"] = .string(backend.instructionSet.rawValue)
            members["threads"] = .integer(backend.threadCount)
            members["activations"] = .string(backend.activationPrecision.rawValue)
            try file.update(JSON.object(members).text(indented: true) + "\n")
        }
    }

    /// Of a model whose weights are made up.
    private func configuration() throws -> (ConfigObject, QuantizationConfig) {
        if let config {
            let object = try ConfigObject(contentsOf: config)
            return (object, try QuantizationConfig(config: object))
        }
        let folder = try ModelFolder(path: modelOptions.folder())
        return (folder.config, try QuantizationConfig(folder: folder))
    }

    private func load(_ backend: CPUBackend) throws -> (Transformer<CPUBackend>, ReadVolume, WeightMemory) {
        var bar = ProgressBar("Loading", unit: "layers")
        defer { bar.finish() }
        let rowCount = min(512, max(inputLen, batchSize))
        func loaded(_ specification: ModelSpecification, by loader: ModelLoader<CPUBackend>) throws
            -> (Transformer<CPUBackend>, ReadVolume, WeightMemory)
        {
            guard inputLen + outputLen <= specification.contextLength else {
                throw EngineError(
                    .invalidOption,
                    "--input-len and --output-len: \(inputLen + outputLen) tokens exceed the context of "
                        + "\(specification.contextLength)")
            }
            let leastByteCount = specification.matrixElementCount / 2
            guard leastByteCount <= backend.memoryByteCount else {
                throw EngineError(
                    .unsupported,
                    "the model's weights take \(leastByteCount) bytes at 4 bits each, "
                        + "\(backend.memoryByteCount) are available")
            }
            let weights = try loader.load(specification)
            let transformer = try Transformer(
                specification: specification, weights: weights, backend: backend, maximumRowCount: rowCount)
            return (transformer, ReadVolume(specification, weights: weights), weights.memory)
        }
        if loadFormat == .dummy {
            let (config, quantization) = try configuration()
            let specification = try ModelSpecification(config: config)
            let weights = SyntheticWeights(quantization: quantization, seed: seed)
            return try loaded(
                specification, by: ModelLoader(synthetic: weights, backend: backend) { bar.show($0, of: $1) })
        }
        let checkpoint = try Checkpoint(path: modelOptions.folder())
        let specification = try ModelSpecification(config: checkpoint.config)
        return try loaded(
            specification, by: ModelLoader(checkpoint, backend: backend) { bar.show($0, of: $1) })
    }
}

public import ArgumentParser
import ModelFiles
public import Quantization
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

struct Quantize: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Turn a BF16, FP16 or FP32 model folder into an FP4 one.",
        discussion: """
            Linear layers and experts are quantized; embeddings, the head, norms, routers and vision stay as they are. \
            The new folder appears when it is complete, with the tokenizer and all other files.

            Example: nibble quantize Llama-4-Scout-17B-16E-Instruct scout-nvfp4 --exclude '*self_attn*'
            """)

    @Argument(help: ArgumentHelp("A model folder, or org/name[@revision] in the Hugging Face cache.", valueName: "src"))
    var source: String

    @Argument(help: ArgumentHelp("The folder to write; it must not exist.", valueName: "dst"))
    var destination: String

    @Option(help: "The format of the weights.")
    var format: QuantizationScheme.Format = .nvfp4

    @Option(
        help: """
            Whose tensor names and configuration entries to write. (default: modelopt for nvfp4, compressed-tensors \
            for mxfp4, which engines load)
            """)
    var layout: QuantizationScheme.Layout?

    @Option(
        name: .customLong("exclude"), parsing: .unconditionalSingleValue,
        help: ArgumentHelp(
            "Leave modules whose name matches this glob as they are; repeatable.", valueName: "pattern"))
    var exclusions: [String] = []

    func run() async throws {
        let clock = ContinuousClock()
        let start = clock.now
        let folder = try ModelLocation.resolve(source, environment: ProcessSettings.environment)
        let quantizer = try CheckpointQuantizer(source: folder, scheme: scheme, excluding: exclusions)
        for pattern in quantizer.summary.unmatchedExclusions {
            StandardError.print("--exclude '\(pattern)' matches no module")
        }
        for module in quantizer.summary.unalignedModules {
            StandardError.print(
                "\(module.name) stays as it is: its \(module.inputSize) inputs are not a multiple of \(format.blockSize)"
            )
        }
        // A run that is interrupted ends like a failed one, so that nothing half-written stays.
        let signals = [SIGINT, SIGTERM]
        for number in signals { signal(number) { interruption.store($0, ordering: .relaxed) } }
        defer { for number in signals { signal(number, SIG_DFL) } }
        var bar = ProgressBar("Quantizing", unit: "MB")
        defer { bar.finish() }
        try quantizer.write(to: destination) { count, total in
            let number = interruption.load(ordering: .relaxed)
            if number != 0 { throw ExitCode(128 + number) }
            bar.show(count / 1_000_000, of: total / 1_000_000)
        }
        bar.finish()
        let summary = quantizer.summary
        StandardError.print(
            """
            wrote \(destination): \(summary.quantizedModules.count) modules quantized, \
            \(summary.keptModules.count) as they were; \(summary.sourceByteCount.formattedBytes) became \
            \(summary.byteCount.formattedBytes) in \((clock.now - start).formattedSeconds)
            """)
    }

    private var scheme: QuantizationScheme {
        QuantizationScheme(format: format, layout: layout ?? (format == .nvfp4 ? .modelOpt : .compressedTensors))
    }
}

/// The signal by which the run was asked to stop; 0 before.
private let interruption = Atomic<Int32>(0)

extension QuantizationScheme.Format: ExpressibleByArgument {}
extension QuantizationScheme.Layout: ExpressibleByArgument {}

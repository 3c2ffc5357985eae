import ArgumentParser
import Engine
import Kernels
import ModelFiles
import Models

/// Which model, and on what it runs.
struct ModelOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            A model folder, or org/name[@revision] in the Hugging Face cache. (default: the storyteller that ships \
            with Nibble)
            """, valueName: "dir"))
    var model: String?

    @OptionGroup(title: "Model") var backendOptions: BackendOptions

    @Option(
        help: """
            What enters quantized layers: full precision; nvfp4, as Blackwell computes (W4A4); or int8, 8 bits with a \
            scale for each 16 values, faster and less exact (docs/numerics.md).
            """)
    var activations: ActivationPrecision = .full

    func validate() throws {
        if backendOptions.device == .cuda { throw ValidationError("--device cuda: models run on the CPU so far.") }
    }

    /// The folder of the model.
    func folder() throws -> String {
        guard let model else { return try ShippedModel.folder() }
        return try ModelLocation.resolve(model, environment: ProcessSettings.environment)
    }

    /// The backend that the options and the environment ask for.
    func backend() throws -> CPUBackend {
        try backendOptions.backend(activations: activations)
    }

    /// Loads the model, with a progress bar, and says what was loaded.
    func load() throws -> TextModel<CPUBackend> {
        let folder = try folder()
        let backend = try backend()
        let clock = ContinuousClock()
        let start = clock.now
        var bar = ProgressBar("Loading", unit: "layers")
        let model = try TextModel(Checkpoint(path: folder), backend: backend) { bar.show($0, of: $1) }
        bar.finish()
        StandardError.print(
            """
            nibble \(Nibble.version): \(model.transformer.specification.architecture) from \(folder), loaded in \
            \((clock.now - start).formattedSeconds); cpu \(backend.instructionSet.rawValue), \
            \(backend.threadCount) threads, \(activations.rawValue) activations
            """)
        return model
    }
}

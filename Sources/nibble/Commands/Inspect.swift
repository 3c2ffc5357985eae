import ArgumentParser
import ModelFiles
import Models

struct Inspect: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Describe a model folder or a safetensors file without loading it.")

    @Argument(
        help: ArgumentHelp(
            "A model folder, org/name[@revision] in the Hugging Face cache, or a safetensors file.",
            valueName: "dir|file"))
    var path: String

    @Option(help: "How to print: lines of text, or a JSON object.")
    var outputFormat: OutputFormat = .text

    func run() async throws {
        let description: JSON
        if FileSystem.kind(of: path) == .file {
            let file = try SafeTensors(path: path)
            description = TensorCensus(file.tensors).json
        } else {
            let folder = try ModelLocation.resolve(path, environment: ProcessSettings.environment)
            description = try ModelSummary(Checkpoint(path: folder)).json
        }
        switch outputFormat {
        case .text: try StandardOutput.write(description.outline())
        case .json: try StandardOutput.print(description.text(indented: true))
        }
    }
}

import ArgumentParser
import Engine
import ModelFiles
import Models

struct Logits: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write the logits after each token of a sequence to a safetensors file.",
        discussion: "The file holds one tensor: logits, float32, [tokens, vocabulary].")

    @OptionGroup(title: "Model") var modelOptions: ModelOptions

    @Option(parsing: .unconditional, help: ArgumentHelp("The sequence as token ids.", valueName: "1,2,3"))
    var tokens: TokenList

    @Option(name: .shortAndLong, help: ArgumentHelp("The file to write; it must not exist.", valueName: "file"))
    var output: String

    func run() async throws {
        // The file is created before the model is loaded, so that this does not fail after minutes.
        let config = try ModelFolder(path: modelOptions.folder()).config
        let vocabularySize = try ModelSpecification(config: config).vocabularySize
        var writer = try SafeTensorsWriter(
            path: output,
            tensors: [.init(name: "logits", elementType: .f32, shape: [tokens.ids.count, vocabularySize])])
        let model = try modelOptions.load()
        var bar = ProgressBar("Logits", unit: "tokens")
        var count = 0
        try model.forEachLogits(of: tokens.ids) { logits in
            try logits.withUnsafeBytes { try writer.append($0) }
            count += logits.count / vocabularySize
            bar.show(count, of: tokens.ids.count)
        }
        bar.finish()
        try writer.finish()
        StandardError.print("wrote \(output): logits [\(tokens.ids.count), \(vocabularySize)]")
    }
}

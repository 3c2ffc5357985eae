import ArgumentParser
import Benchmarking
import Engine
import ModelFiles
import Models
import Tokenization

struct PerplexityCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "perplexity",
        abstract: "Measure how well a model predicts a text.",
        discussion: """
            The text is tokenized without special tokens and cut into rows of N tokens. Each row is fed as the begin \
            token and its first N - 1 tokens, so that all N are predicted; a partial last row is dropped.
            """)

    @OptionGroup(title: "Model") var modelOptions: ModelOptions

    @Option(help: ArgumentHelp("The text, UTF-8.", valueName: "file"))
    var text: String

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Tokens of a row. (default: the model's context, at most 2048)", valueName: "n"))
    var context: Int?

    @Option(help: "How to print: a line of text, or a JSON object.")
    var outputFormat: OutputFormat = .text

    func run() async throws {
        let file = try MappedFile(path: text)
        guard let contents = file.withBytes({ String(validating: $0, as: UTF8.self) }) else {
            throw ModelFileError(.malformed, file: text, "not valid UTF-8")
        }
        let model = try modelOptions.load()
        guard let tokenizer = model.tokenizer else {
            throw EngineError(.unsupported, "the model has no tokenizer.json")
        }
        let tokens = tokenizer.encode(contents, addSpecialTokens: false)
        let rowLength = context ?? min(2048, model.transformer.specification.contextLength)
        var bar = ProgressBar("Perplexity", unit: "rows")
        let result = try model.perplexity(of: tokens, rowLength: rowLength) { bar.show($0, of: $1) }
        bar.finish()
        switch outputFormat {
        case .text:
            try StandardOutput.print(
                """
                perplexity \(result.perplexity.formatted(decimals: 4)), loss \(result.loss.formatted(decimals: 5)), \
                \(result.tokenCount) tokens
                """)
        case .json:
            try StandardOutput.print(
                JSON.object([
                    "loss": .number(result.loss), "perplexity": .number(result.perplexity),
                    "tokens": .integer(result.tokenCount),
                ]).text())
        }
    }
}

import ArgumentParser
import Benchmarking
import ChatTemplates
import Engine
import Kernels
import ModelFiles
import Tokenization

struct Generate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Continue a prompt, streaming the text.",
        discussion: "Example: nibble generate \"Once upon a time\" --temperature 0 --max-new-tokens 64")

    @Argument(help: "The prompt; - reads it from standard input.")
    var prompt: String?

    @OptionGroup(title: "Model") var modelOptions: ModelOptions
    @OptionGroup(title: "Sampling") var sampling: SamplingFlags

    @Flag(help: "Treat the prompt as a user's message and apply the model's chat template.")
    var chat = false

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "The prompt as token ids in place of a text; no begin token is added.", valueName: "1,2,3"))
    var tokens: TokenList?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "The most tokens to generate. (default: as many as the context holds)", valueName: "n"))
    var maxNewTokens: Int?

    @Option(
        name: .customLong("stop"), parsing: .unconditionalSingleValue,
        help: ArgumentHelp("End at this text; repeatable.", valueName: "str"))
    var stops: [String] = []

    @Flag(name: .customLong("ignore-eos"), help: "Do not end at the model's end tokens.")
    var ignoresEndTokens = false

    @Option(help: "How to print: the text as it comes, or one JSON object at the end.")
    var outputFormat: OutputFormat = .text

    func validate() throws {
        guard (prompt == nil) != (tokens == nil) else {
            throw ValidationError("Give a prompt, or --tokens, and not both.")
        }
        if let maxNewTokens, maxNewTokens < 1 {
            throw ValidationError("--max-new-tokens: expected a positive count, found \(maxNewTokens)")
        }
        if chat, prompt == nil { throw ValidationError("--chat needs a prompt.") }
        if stops.contains("") { throw ValidationError("--stop: expected a text, found an empty one") }
    }

    func run() async throws {
        let promptText = try prompt.map { $0 == "-" ? try StandardInput.readAll() : $0 }
        let model = try modelOptions.load()
        let request = GenerationRequest(
            prompt: try promptTokens(promptText, model), maximumTokenCount: maxNewTokens,
            sampling: sampling.options(model.generationConfig), stops: stops,
            endTokens: ignoresEndTokens ? [] : Set(model.generationConfig.endTokens))
        if model.tokenizer == nil, outputFormat == .text || !stops.isEmpty {
            throw EngineError(
                .unsupported, "the model has no tokenizer.json, so there is no text; use --output-format json")
        }
        let result = try Generator(model).generate(request) { piece in
            if outputFormat == .text { try StandardOutput.write(piece) }
        }
        switch outputFormat {
        case .text: try StandardOutput.print("")
        case .json: try StandardOutput.print(json(request, result).text())
        }
        report(request, result)
    }

    private func promptTokens(_ text: String?, _ model: TextModel<CPUBackend>) throws -> [Int] {
        if let tokens { return tokens.ids }
        guard let tokenizer = model.tokenizer, let text else {
            throw EngineError(.unsupported, "the model has no tokenizer.json; give --tokens and --output-format json")
        }
        guard chat else { return tokenizer.encode(text, addSpecialTokens: true) }
        guard let template = model.chatTemplate else {
            throw EngineError(.unsupported, "the model has no chat template; leave --chat out")
        }
        let rendered = try template.render(messages: [ChatMessage(role: "user", content: text)])
        // The template writes the begin token itself.
        return tokenizer.encode(rendered, addSpecialTokens: false)
    }

    private func json(_ request: GenerationRequest, _ result: GenerationResult) -> JSON {
        .object([
            "prompt_tokens": .integer(request.prompt.count),
            "tokens": .array(result.tokens.map { .integer($0) }),
            "text": .string(result.text),
            "finish_reason": .string(result.finishReason.rawValue),
            "ttft_ms": .number(result.timeToFirstToken.milliseconds),
            "tpot_ms": result.timePerOutputToken.map { .number($0.milliseconds) } ?? .null,
            "model": .string(modelOptions.model ?? "storyteller-nvfp4"),
            "seed": Int(exactly: request.sampling.seed).map { .integer($0) } ?? .string("\(request.sampling.seed)"),
        ])
    }

    private func report(_ request: GenerationRequest, _ result: GenerationResult) {
        let promptRate = Double(request.prompt.count) / max(result.timeToFirstToken.seconds, 1e-9)
        let rate = result.timePerOutputToken.map { (1 / max($0.seconds, 1e-9)).formatted(decimals: 1) } ?? "-"
        let memory = ProcessMemory.peakResidentByteCount.map { "; peak memory: \($0.formattedBytes)" } ?? ""
        StandardError.print(
            """
            prompt: \(request.prompt.count) tokens, \(promptRate.formatted(decimals: 1)) tokens/s; \
            generation: \(result.tokens.count) tokens, \(rate) tokens/s\(memory)
            """)
    }
}

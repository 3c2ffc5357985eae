public import Kernels
import Models
import Tokenization

/// Generates text for one request at a time.
public struct Generator<B: Backend> {
    private let model: TextModel<B>

    /// A generator on a loaded model.
    public init(_ model: TextModel<B>) { self.model = model }

    /// Generates until an end token, a stop string, the limit, or the end of the context.
    ///
    /// - Parameters:
    ///   - request: the prompt and how to continue it.
    ///   - onText: called with each piece of text as soon as it is certain.
    /// - Throws: ``EngineError`` for a request that the model cannot run, the backend's error, or what `onText` throws.
    public func generate(
        _ request: GenerationRequest, onText: (String) throws -> Void = { _ in }
    ) throws -> GenerationResult {
        let limit = try tokenLimit(of: request)
        var sampler = try Sampler(request.sampling, prompt: request.prompt)
        let sequence = try PromptedSequence(model.transformer, capacity: request.prompt.count + limit)
        var text = TextStream(model.tokenizer, stops: request.stops)
        var result = GenerationResult()

        let clock = ContinuousClock()
        let start = clock.now
        var firstTokenTime = start
        var logits = try sequence.append(request.prompt)
        while true {
            let token = try sampler.sample(logits)
            if result.tokens.isEmpty { firstTokenTime = clock.now }
            if request.endTokens.contains(token) {
                result.finishReason = .stop
                break
            }
            result.tokens.append(token)
            try onText(text.append(token))
            if text.isStopped {
                result.finishReason = .stop
                break
            }
            if result.tokens.count == limit { break }
            logits = try sequence.append([token])
        }
        try onText(text.finish())
        result.text = text.text
        result.timeToFirstToken = firstTokenTime - start
        // Every sampled token after the first took a step, also an end token that is not in the result.
        let laterTokenCount = sequence.stepCount - 1
        if laterTokenCount > 0 {
            result.timePerOutputToken = (clock.now - firstTokenTime) / laterTokenCount
        }
        return result
    }

    /// The number of tokens that the request may generate, at least one.
    private func tokenLimit(of request: GenerationRequest) throws -> Int {
        let specification = model.transformer.specification
        guard !request.prompt.isEmpty else { throw EngineError(.invalidPrompt, "the prompt is empty") }
        try model.requireKnown(request.prompt)
        let room = specification.contextLength - request.prompt.count
        guard room > 0 else {
            throw EngineError(
                .invalidPrompt,
                "the prompt has \(request.prompt.count) tokens, which leaves no room in the model's context of "
                    + "\(specification.contextLength)")
        }
        let limit = min(request.maximumTokenCount ?? room, room)
        guard limit > 0 else {
            throw EngineError(.invalidOption, "max-new-tokens: expected a positive count, found \(limit)")
        }
        return limit
    }
}

/// What to generate.
public struct GenerationRequest: Sendable {
    /// The prompt's tokens, at least one.
    public var prompt: [Int]
    /// The most tokens to generate; nil for as many as the context holds.
    public var maximumTokenCount: Int?
    /// How tokens are drawn.
    public var sampling: SamplingOptions
    /// Texts that end the generation; they are not part of the result.
    public var stops: [String]
    /// Tokens that end the generation.
    public var endTokens: Set<Int>

    /// Describes a request.
    public init(
        prompt: [Int], maximumTokenCount: Int? = nil, sampling: SamplingOptions = SamplingOptions(),
        stops: [String] = [], endTokens: Set<Int> = []
    ) {
        self.prompt = prompt
        self.maximumTokenCount = maximumTokenCount
        self.sampling = sampling
        self.stops = stops
        self.endTokens = endTokens
    }
}

/// What was generated, and how fast.
public struct GenerationResult: Sendable {
    /// Why the generation ended.
    public enum FinishReason: String, Sendable {
        /// The model ended the text, or a stop string was found.
        case stop
        /// The token limit or the end of the context was reached.
        case length
    }

    /// The generated tokens, without the end token.
    public var tokens: [Int] = []
    /// Their text, without special tokens and up to a stop string.
    public var text = ""
    /// Why the generation ended.
    public var finishReason = FinishReason.length
    /// The time from the start to the first token (TTFT).
    public var timeToFirstToken: Duration = .zero
    /// The mean time of each further token (TPOT); nil if there was only one.
    public var timePerOutputToken: Duration?
}

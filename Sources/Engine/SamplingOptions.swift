/// How the next token is drawn from logits.
public struct SamplingOptions: Sendable, Equatable {
    /// Divides the logits; 0 takes the most likely token (greedy).
    public var temperature: Double
    /// Keeps the `topK` most likely tokens; 0 keeps all.
    public var topK: Int
    /// Keeps the fewest most likely tokens whose probabilities sum to at least `topP`; 1 keeps all.
    public var topP: Double
    /// Drops tokens less likely than `minP` times the most likely one; 0 keeps all.
    public var minP: Double
    /// Divides positive and multiplies negative logits of tokens that already occurred; 1 changes nothing.
    public var repetitionPenalty: Double
    /// The seed of the random numbers: the same seed, model and prompt give the same tokens.
    public var seed: UInt64

    /// Greedy by default.
    public init(
        temperature: Double = 0, topK: Int = 0, topP: Double = 1, minP: Double = 0, repetitionPenalty: Double = 1,
        seed: UInt64 = 0
    ) {
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.minP = minP
        self.repetitionPenalty = repetitionPenalty
        self.seed = seed
    }

    /// Throws an error that names the first option outside its range.
    public func validate() throws(EngineError) {
        func require(_ holds: Bool, _ name: String, _ value: some CustomStringConvertible, _ range: String)
            throws(EngineError)
        {
            guard holds else { throw EngineError(.invalidOption, "\(name): expected \(range), found \(value)") }
        }
        try require((0...100).contains(temperature), "temperature", temperature, "0 to 100")
        try require(topK >= 0, "top-k", topK, "0 (all) or a positive count")
        try require(topP > 0 && topP <= 1, "top-p", topP, "more than 0 and at most 1")
        try require((0...1).contains(minP), "min-p", minP, "0 to 1")
        try require(
            (0.01...100).contains(repetitionPenalty), "repetition-penalty", repetitionPenalty, "0.01 to 100")
    }
}

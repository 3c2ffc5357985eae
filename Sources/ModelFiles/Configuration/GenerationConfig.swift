/// How a model's authors want text to be generated with it; what they leave open is nil.
public struct GenerationConfig: Sendable, Equatable {
    /// The tokens that begin a text; usually one, or none.
    public var beginTokens: [Int]
    /// The tokens that end a text.
    public var endTokens: [Int]
    /// The token that fills up batches.
    public var paddingToken: Int?
    /// Whether tokens are drawn at random; otherwise the most probable one is taken.
    public var samples: Bool?
    /// What logits are divided by, 0 to 100.
    public var temperature: Double?
    /// How many of the most probable tokens are considered; 0 for all.
    public var topK: Int?
    /// The probability mass that is considered, more than 0 and at most 1.
    public var topP: Double?
    /// The least probability that is considered, relative to the highest, 0 to 1.
    public var minP: Double?
    /// What the logits of repeated tokens are divided by, 0.01 to 100.
    public var repetitionPenalty: Double?

    /// Reads `generation_config.json`; tokens that it does not name are taken from `config.json` and its `text_config`.
    ///
    /// - Throws: ``ModelFileError`` with code `mismatched` for a value of another type or range.
    public init(folder: ModelFolder) throws(ModelFileError) {
        let own = folder.generationConfig
        let sources = [own, folder.config, try folder.config.optionalObject("text_config")].compactMap { $0 }
        beginTokens = try Self.tokens("bos_token_id", in: sources)
        endTokens = try Self.tokens("eos_token_id", in: sources)
        paddingToken = try Self.tokens("pad_token_id", in: sources).first
        samples = try own?.optionalBool("do_sample")
        temperature = try own?.optionalNumber("temperature", in: 0...100)
        topK = try own?.optionalInteger("top_k", in: 0...Int(Int32.max))
        topP = try own?.optionalNumber("top_p", in: 1e-9...1)
        minP = try own?.optionalNumber("min_p", in: 0...1)
        repetitionPenalty = try own?.optionalNumber("repetition_penalty", in: 0.01...100)
    }

    /// The tokens of the first source that names any; some files write -1 for none.
    private static func tokens(_ key: String, in sources: [ConfigObject]) throws(ModelFileError) -> [Int] {
        for source in sources {
            let tokens = try source.integers(key, in: -1...Int(Int32.max)).filter { $0 >= 0 }
            if !tokens.isEmpty { return tokens }
        }
        return []
    }
}

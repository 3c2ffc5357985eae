/// A byte-level byte-pair tokenizer, read from a `tokenizer.json` of Hugging Face.
///
/// It gives the ids and texts that the `tokenizers` library gives. Every text can be encoded, and every list of ids
/// decoded; what a file asks for beyond that is refused when it is loaded.
public struct Tokenizer: Sendable {
    /// Ids from this on are refused.
    public static let maximumVocabularySize = 1 << 22

    /// The tokens that ``encode(_:addSpecialTokens:)`` puts before a text.
    public let beginTokenIDs: [Int]
    /// The tokens that ``encode(_:addSpecialTokens:)`` puts after a text.
    public let endTokenIDs: [Int]

    private let addedTokens: AddedTokens
    private let normalizer: Normalizer
    private let preTokenizer: PreTokenizer
    private let encoder: BytePairEncoder

    init(
        addedTokens: AddedTokens, normalizer: Normalizer, preTokenizer: PreTokenizer, encoder: BytePairEncoder,
        template: SpecialTokenTemplate
    ) {
        self.addedTokens = addedTokens
        self.normalizer = normalizer
        self.preTokenizer = preTokenizer
        self.encoder = encoder
        beginTokenIDs = template.beginTokenIDs
        endTokenIDs = template.endTokenIDs
    }

    // MARK: Encoding

    /// The tokens of a text.
    ///
    /// Added tokens written out in the text, such as `<|eot|>`, become these tokens. Takes time proportional to the
    /// length of the text, up to a logarithm, whatever the text: a pattern of the file that needs more steps than
    /// 256 a byte is no longer applied to the rest of the text.
    ///
    /// - Parameters:
    ///   - text: any text.
    ///   - addSpecialTokens: whether ``beginTokenIDs`` and ``endTokenIDs`` are added, as for a text that is not a
    ///     rendered chat template.
    public func encode(_ text: String, addSpecialTokens: Bool = true) -> [Int] {
        var ids = addSpecialTokens ? beginTokenIDs : []
        let bytes = Array(text.utf8)
        for section in addedTokens.sections(of: bytes, .beforeNormalization) {
            switch section {
            case .token(let id): ids.append(id)
            case .text(let range): appendNormalized(normalizer(Array(bytes[range])), to: &ids)
            }
        }
        if addSpecialTokens { ids += endTokenIDs }
        return ids
    }

    private func appendNormalized(_ bytes: [UInt8], to ids: inout [Int]) {
        for section in addedTokens.sections(of: bytes, .afterNormalization) {
            switch section {
            case .token(let id): ids.append(id)
            case .text(let range): encoder.append(preTokenizer(Array(bytes[range])), to: &ids)
            }
        }
    }

    // MARK: Decoding

    /// The text of some tokens: their bytes together, with U+FFFD for what is not UTF-8.
    ///
    /// - Parameters:
    ///   - ids: any numbers; those of no token are left out.
    ///   - skipSpecialTokens: whether special tokens are left out.
    public func decode(_ ids: [Int], skipSpecialTokens: Bool = true) -> String {
        var bytes: [UInt8] = []
        for id in ids { appendBytes(of: id, skipSpecialTokens: skipSpecialTokens, to: &bytes) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Appends what a token adds to a decoded text.
    func appendBytes(of id: Int, skipSpecialTokens: Bool, to bytes: inout [UInt8]) {
        if skipSpecialTokens, isSpecial(id) { return }
        if let token = encoder.vocabulary[id] { bytes.append(contentsOf: token) }
    }

    // MARK: Vocabulary

    /// The highest id of a token, plus 1.
    public var vocabularySize: Int { encoder.vocabulary.size }

    /// The id of a token by its text in the file: an added token as it is (`<|eot|>`), others in the byte-level
    /// alphabet (`Ġthe`).
    public func id(of token: String) -> Int? {
        if let added = addedTokens.token(of: token) { return added.id }
        var bytes: [UInt8] = []
        return ByteLevelAlphabet.decode(token, into: &bytes) ? encoder.vocabulary.id(of: bytes) : nil
    }

    /// The text of a token in the file, the inverse of ``id(of:)``; nil if there is no token of that id.
    public func token(_ id: Int) -> String? {
        addedTokens[id: id]?.content ?? encoder.vocabulary[id].map(ByteLevelAlphabet.encode)
    }

    /// Whether a token is special: control tokens such as `<|eot|>` are, `<think>` is not.
    public func isSpecial(_ id: Int) -> Bool { addedTokens[id: id]?.isSpecial ?? false }
}

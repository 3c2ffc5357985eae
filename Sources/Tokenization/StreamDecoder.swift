/// Decodes tokens one by one, giving out text as soon as it is certain.
///
/// No character is cut: an incomplete UTF-8 sequence is held back until the next tokens complete it or show that it is
/// invalid. All pieces and ``finish()`` together equal ``Tokenizer/decode(_:skipSpecialTokens:)`` of all tokens.
public struct StreamDecoder: Sendable {
    private let tokenizer: Tokenizer
    private let skipSpecialTokens: Bool
    private var pending: [UInt8] = []

    /// A decoder at the start of a text.
    ///
    /// - Parameter skipSpecialTokens: whether special tokens are left out.
    public init(_ tokenizer: Tokenizer, skipSpecialTokens: Bool = true) {
        self.tokenizer = tokenizer
        self.skipSpecialTokens = skipSpecialTokens
    }

    /// The text that is certain now that this token follows; often empty in the middle of a character.
    public mutating func append(_ id: Int) -> String {
        tokenizer.appendBytes(of: id, skipSpecialTokens: skipSpecialTokens, to: &pending)
        let certainCount = pending.count - Self.incompleteSuffixCount(of: pending)
        let text = String(decoding: pending[..<certainCount], as: UTF8.self)
        pending.removeFirst(certainCount)
        return text
    }

    /// The rest of the text, after which the decoder starts anew.
    ///
    /// It is U+FFFD if the text ends inside a character, and empty otherwise.
    public mutating func finish() -> String {
        defer { pending.removeAll() }
        return String(decoding: pending, as: UTF8.self)
    }

    /// The number of bytes at the end that begin a well-formed sequence (Unicode Standard, table 3-7) but do not end it.
    private static func incompleteSuffixCount(of bytes: [UInt8]) -> Int {
        for count in 1...3 where count <= bytes.count {
            let suffix = bytes[(bytes.count - count)...]
            guard let lead = suffix.first, lead & 0xC0 != 0x80 else { continue }
            let length: Int
            switch lead {
            case 0xC2...0xDF: length = 2
            case 0xE0...0xEF: length = 3
            case 0xF0...0xF4: length = 4
            default: return 0
            }
            guard count < length else { return 0 }
            guard let second = suffix.dropFirst().first else { return count }
            let seconds: ClosedRange<UInt8>
            switch lead {
            case 0xE0: seconds = 0xA0...0xBF
            case 0xED: seconds = 0x80...0x9F
            case 0xF0: seconds = 0x90...0xBF
            case 0xF4: seconds = 0x80...0x8F
            default: seconds = 0x80...0xBF
            }
            return seconds.contains(second) ? count : 0
        }
        return 0
    }
}

/// The steps that cut a text before byte-pair encoding.
struct PreTokenizer: Sendable {
    /// One step.
    enum Step: Sendable {
        case split(Splitter)
        /// A space before each piece that has none.
        case prefixSpace
    }

    /// GPT-2's pattern, which `ByteLevel` with `use_regex` applies.
    static let byteLevelPattern =
        #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

    let steps: [Step]

    /// Cuts a text into pieces.
    func callAsFunction(_ bytes: [UInt8]) -> PreTokenizedText {
        var text = PreTokenizedText(bytes)
        var matchingSteps = PatternMatcher.steps(forByteCount: bytes.count)
        for step in steps {
            switch step {
            case .split(let splitter): splitter.apply(to: &text, steps: &matchingSteps)
            case .prefixSpace: Self.addPrefixSpaces(to: &text)
            }
        }
        return text
    }

    private static func addPrefixSpaces(to text: inout PreTokenizedText) {
        let space = UInt8(ascii: " ")
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.bytes.count + text.pieces.count)
        var pieces: [Range<Int>] = []
        pieces.reserveCapacity(text.pieces.count)
        for piece in text.pieces {
            let start = bytes.count
            if text.bytes[piece.lowerBound] != space { bytes.append(space) }
            bytes.append(contentsOf: text.bytes[piece])
            pieces.append(start..<bytes.count)
        }
        text.bytes = bytes
        text.pieces = pieces
    }
}

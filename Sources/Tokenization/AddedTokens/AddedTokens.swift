internal import ModelFiles

/// The added tokens of a tokenizer and the search for them.
struct AddedTokens: Sendable {
    /// A part of a text.
    enum Section {
        case text(Range<Int>)
        case token(id: Int)
    }

    /// Which tokens a search looks for.
    enum Pass { case beforeNormalization, afterNormalization }

    /// The size of all contents; it bounds the memory of the search.
    private static let maximumByteCount = 1 << 21

    private(set) var tokens: [AddedToken] = []
    private var indexOfID: [Int: Int] = [:]
    /// By UTF-8, as Swift compares strings by canonical equivalence.
    private var indexOfContent: [[UInt8]: Int] = [:]
    private var verbatim = TokenTrie()
    private var normalized = TokenTrie()

    /// Reads `added_tokens`, which may be absent.
    init(_ field: JSONField?, normalizer: Normalizer) throws(ModelFileError) {
        guard let field else { return }
        var byteCount = 0
        for element in try field.elements() {
            let token = try AddedToken(element)
            let content = Array(token.content.utf8)
            byteCount += content.count
            guard byteCount <= Self.maximumByteCount else {
                throw field.error(.unsupported, "found texts of more than the \(Self.maximumByteCount) bytes supported")
            }
            let index = tokens.count
            if let other = indexOfID.updateValue(index, forKey: token.id) {
                let contents = "\(tokens[other].content.quotedForMessage) and \(token.content.quotedForMessage)"
                throw element.error(.malformed, "the id \(token.id) belongs to both \(contents)")
            }
            if let other = indexOfContent.updateValue(index, forKey: content) {
                let ids = "\(tokens[other].id) and \(token.id)"
                throw element.error(.malformed, "\(token.content.quotedForMessage) has both ids \(ids)")
            }
            tokens.append(token)
            if token.isNormalized {
                normalized.insert(normalizer(content), value: Int32(index))
            } else {
                verbatim.insert(content, value: Int32(index))
            }
        }
    }

    /// The token of an id.
    subscript(id id: Int) -> AddedToken? { indexOfID[id].map { tokens[$0] } }

    /// The token of exactly that content.
    func token(of content: String) -> AddedToken? { indexOfContent[Array(content.utf8)].map { tokens[$0] } }

    /// Cuts a text at the added tokens in it: from the left, the longest first.
    func sections(of bytes: [UInt8], _ pass: Pass) -> [Section] {
        let trie = pass == .beforeNormalization ? verbatim : normalized
        guard !trie.isEmpty, !bytes.isEmpty else { return bytes.isEmpty ? [] : [.text(bytes.indices)] }
        var sections: [Section] = []
        var sectionStart = 0
        bytes.withUnsafeBufferPointer { text in
            var position = 0
            var strippedEnd = 0
            while position < text.count {
                guard let match = trie.longestMatch(in: text, at: position) else {
                    position += 1
                    continue
                }
                let token = tokens[Int(match.value)]
                var (start, end) = (position, match.end)
                position = end
                if token.isSingleWord, !Self.isBetweenWords(start..<end, in: text) { continue }
                if token.stripsLeft { start = Self.whitespaceStart(before: start, from: sectionStart, in: text) }
                if token.stripsRight {
                    // The run in which the last strip ended need not be walked again.
                    end = end <= strippedEnd ? strippedEnd : Self.whitespaceEnd(after: end, in: text)
                    strippedEnd = end
                }
                // A token whose text the token before has taken as white space is left out.
                guard start < end else { continue }
                if sectionStart < start { sections.append(.text(sectionStart..<start)) }
                sections.append(.token(id: token.id))
                sectionStart = end
            }
        }
        if sectionStart < bytes.count { sections.append(.text(sectionStart..<bytes.count)) }
        return sections
    }

    private static func isBetweenWords(_ range: Range<Int>, in text: UnsafeBufferPointer<UInt8>) -> Bool {
        let isAfterWord =
            range.lowerBound > 0
            && isWord(text.scalar(at: text.scalarStart(before: range.lowerBound)).value)
        return !isAfterWord && (range.upperBound == text.count || !isWord(text.scalar(at: range.upperBound).value))
    }

    /// A character of `\w` in Rust's syntax, which the search in `tokenizers` uses.
    private static func isWord(_ value: UInt32) -> Bool {
        guard let properties = Unicode.Scalar(value)?.properties else { return false }
        switch properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: return true
        default: return properties.isAlphabetic || properties.isJoinControl
        }
    }

    private static func whitespaceStart(
        before end: Int, from lowest: Int, in text: UnsafeBufferPointer<UInt8>
    ) -> Int {
        var start = max(end, lowest)
        while start > lowest {
            let previous = text.scalarStart(before: start)
            guard isWhitespace(text.scalar(at: previous).value) else { break }
            start = previous
        }
        return start
    }

    private static func whitespaceEnd(after start: Int, in text: UnsafeBufferPointer<UInt8>) -> Int {
        var end = start
        while end < text.count, isWhitespace(text.scalar(at: end).value) { end += text.scalarByteCount(at: end) }
        return end
    }

    private static func isWhitespace(_ value: UInt32) -> Bool {
        Unicode.Scalar(value)?.properties.isWhitespace ?? false
    }
}

import TestSupport
import Testing

@testable import Tokenization

@Suite("Byte-pair encoding")
struct BytePairEncodingTests {
    private func tokenizer(_ tokens: [String], merges: String, fields: String = "") throws -> Tokenizer {
        var source = TokenizerText()
        let entries = tokens.enumerated().map { #""\#($0.element)": \#(256 + $0.offset)"# }
        source.vocabulary = "{\(TokenizerText.alphabet), \(entries.joined(separator: ", "))}"
        source.merges = merges
        source.modelFields = fields
        return try source.load()
    }

    private func tokens(_ tokenizer: Tokenizer, _ text: String) -> [String] {
        tokenizer.encode(text).compactMap(tokenizer.token)
    }

    @Test("merges by rank, then from the left")
    func order() throws {
        let byRank = try tokenizer(["bc", "ab", "aa"], merges: #"["b c", "a b", "a a"]"#)
        #expect(tokens(byRank, "abc") == ["a", "bc"])
        #expect(tokens(byRank, "aaa") == ["aa", "a"])
        #expect(tokens(byRank, "aaab") == ["aa", "ab"])
        let pairs = try tokenizer(["bc", "ab", "abc"], merges: #"[["a", "b"], ["b", "c"], ["ab", "c"]]"#)
        #expect(tokens(pairs, "abcabbc") == ["abc", "ab", "bc"])
    }

    @Test("takes a whole piece that is a token if merges are to be ignored")
    func ignoreMerges() throws {
        #expect(tokens(try tokenizer(["abc"], merges: "[]"), "abc") == ["a", "b", "c"])
        #expect(tokens(try tokenizer(["abc"], merges: "[]", fields: #", "ignore_merges": true"#), "abc") == ["abc"])
    }

    @Test("leaves out bytes without a token, as the reference does")
    func missingByte() throws {
        var source = TokenizerText()
        source.vocabulary = #"{"a": 0, "b": 5, "ab": 2}"#
        source.merges = #"["a b"]"#
        let tokenizer = try source.load()
        #expect(tokenizer.encode("axb") == [2])
        #expect(tokenizer.encode("x") == [])
        #expect(tokenizer.vocabularySize == 6)
        #expect(tokenizer.token(1) == nil)
        #expect(tokenizer.decode([2, 1, 99, -5, .max, 0]) == "aba")
    }

    @Test("gives the same tokens with the word cache and without")
    func cache() throws {
        let tokenizer = try Golden.tokenizer("llama4")
        let words = ["To", " be", ",", " or", " not", " to", " be", ":", " that", " is", " the", " question", "."]
        var generator = SeededGenerator(state: 11)
        let text = (0..<2_000).map { _ in words.randomElement(using: &generator) ?? "" }.joined()
        // Texts shorter than 256 bytes have no cache; these cuts are borders between pieces.
        var cut: [Int] = []
        for word in text.split(separator: " ", omittingEmptySubsequences: false).enumerated() {
            cut += tokenizer.encode((word.offset == 0 ? "" : " ") + word.element, addSpecialTokens: false)
        }
        #expect(tokenizer.encode(text, addSpecialTokens: false) == cut)
    }

    @Test(
        "encodes long texts of any pattern and gives them back", arguments: ["llama4", "qwen"])
    func longTexts(name: String) throws {
        let tokenizer = try Golden.tokenizer(name)
        let patterns = [" ", "a", "\u{FFFD}", "\n", "the", "<|", "🙂", "'s", "A1", "\u{301}\u{316}"]
        for pattern in patterns {
            let text = String(repeating: pattern, count: 20_000 / pattern.utf8.count)
            let expected = name == "qwen" ? NormalizationForm.composed.normalize(text.bytes) : text.bytes
            #expect(tokenizer.decode(tokenizer.encode(text)).bytes == expected)
        }
    }
}

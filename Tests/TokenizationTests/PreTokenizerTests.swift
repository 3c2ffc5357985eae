import ModelFiles
import Testing

@testable import Tokenization

/// The expected pieces are those of `tokenizers` 0.23.3.
@Suite("Pre-tokenizers")
struct PreTokenizerTests {
    private func pieces(_ steps: String..., text: String) throws -> [String] {
        let json = try JSON(parsing: #"{"type": "Sequence", "pretokenizers": [\#(steps.joined(separator: ","))]}"#)
        let preTokenizer = try PreTokenizer(JSONField(value: json, path: "pre_tokenizer", file: "tokenizer.json"))
        let result = preTokenizer(text.bytes)
        return result.pieces.map { String(decoding: result.bytes[$0], as: UTF8.self) }
    }

    private func byteLevel(prefixSpace: Bool = false, regex: Bool = false) -> String {
        #"{"type": "ByteLevel", "add_prefix_space": \#(prefixSpace), "trim_offsets": true, "use_regex": \#(regex)}"#
    }

    private func split(_ pattern: String, _ behavior: String = "Isolated", invert: Bool = false) -> String {
        #"{"type": "Split", "pattern": \#(pattern), "behavior": "\#(behavior)", "invert": \#(invert)}"#
    }

    @Test(
        "split with each behaviour",
        arguments: [
            ("Isolated", false, ["the", "-", "final", "-", "-", "countdown"]),
            ("Isolated", true, ["the", "-", "final", "-", "-", "countdown"]),
            ("Removed", false, ["the", "final", "countdown"]),
            ("Removed", true, ["-", "-", "-"]),
            ("MergedWithPrevious", false, ["the-", "final-", "-", "countdown"]),
            ("MergedWithPrevious", true, ["the", "-final", "-", "-countdown"]),
            ("MergedWithNext", false, ["the", "-final", "-", "-countdown"]),
            ("MergedWithNext", true, ["the-", "final-", "-", "countdown"]),
            ("Contiguous", false, ["the", "-", "final", "--", "countdown"]),
            ("Contiguous", true, ["the", "-", "final", "--", "countdown"]),
        ])
    func behaviors(behavior: String, invert: Bool, expected: [String]) throws {
        let step = split(#"{"String": "-"}"#, behavior, invert: invert)
        #expect(try pieces(step, byteLevel(), text: "the-final--countdown") == expected)
    }

    @Test("split at words with GPT-2's pattern")
    func byteLevelPattern() throws {
        let text = "Hello  you're 42!"
        #expect(try pieces(byteLevel(regex: true), text: text) == ["Hello", " ", " you", "'re", " 42", "!"])
        #expect(
            try pieces(byteLevel(prefixSpace: true, regex: true), text: text)
                == [" Hello", " ", " you", "'re", " 42", "!"])
    }

    @Test("put a space before every piece that has none")
    func prefixSpace() throws {
        #expect(try pieces(byteLevel(prefixSpace: true), text: "a b") == [" a b"])
        #expect(try pieces(byteLevel(prefixSpace: true), text: "") == [])
        let step = split(#"{"Regex": ",|;"}"#)
        #expect(try pieces(step, byteLevel(prefixSpace: true), text: "a,b; c") == [" a", " ,", " b", " ;", " c"])
    }

    @Test("split at digits, one by one or together")
    func digits() throws {
        func digits(_ individual: Bool) -> String { #"{"type": "Digits", "individual_digits": \#(individual)}"# }
        #expect(try pieces(digits(true), byteLevel(), text: "a123b٤½") == ["a", "1", "2", "3", "b", "٤", "½"])
        #expect(try pieces(digits(false), byteLevel(), text: "a123b٤½") == ["a", "123", "b", "٤½"])
    }

    @Test("apply the second split inside the pieces of the first")
    func sequence() throws {
        let steps = (split(#"{"Regex": "\\p{N}{1,3}"}"#), split(#"{"Regex": "^.|$"}"#))
        #expect(try pieces(steps.0, steps.1, byteLevel(), text: "ab1234") == ["a", "b", "1", "23", "4"])
    }
}

import Testing

@testable import Tokenization

/// The expected tokens are those of `tokenizers` 0.23.3.
@Suite("Added tokens")
struct AddedTokenTests {
    private func tokens(_ addedTokens: [String], normalizer: String = "null", _ text: String) throws -> [String] {
        var source = TokenizerText()
        source.addedTokens = "[\(addedTokens.joined(separator: ","))]"
        source.normalizer = normalizer
        let tokenizer = try source.load()
        return tokenizer.encode(text).compactMap(tokenizer.token)
    }

    @Test("are found from the left, the longest first")
    func longest() throws {
        let added = ["<a>", "<a><b>", "<b>c", "b>"].enumerated()
            .map { TokenizerText.addedToken($0.element, id: 256 + $0.offset) }
        #expect(try tokens(added, "x<a><b>c<a>c") == ["x", "<a><b>", "c", "<a>", "c"])
        #expect(try tokens(added, "<a><bb><b") == ["<a>", "<", "b", "b>", "<", "b"])
    }

    @Test("take the white space beside them if they say so")
    func strip() throws {
        func added(_ flags: Set<String>) -> [String] { [TokenizerText.addedToken("<x>", id: 256, flags)] }
        #expect(try tokens(added([]), "a <x>  b") == ["a", "Ġ", "<x>", "Ġ", "Ġ", "b"])
        #expect(try tokens(added(["lstrip"]), "a \u{3000}<x> b") == ["a", "<x>", "Ġ", "b"])
        #expect(try tokens(added(["rstrip"]), "a <x>\n\u{2028} b") == ["a", "Ġ", "<x>", "b"])
        #expect(try tokens(added(["lstrip", "rstrip"]), " <x> <x> ") == ["<x>", "<x>"])
    }

    @Test("that are single words are not found inside words")
    func singleWord() throws {
        let added = [TokenizerText.addedToken("tok", id: 256, ["single_word"])]
        #expect(try tokens(added, "tok-tok.") == ["tok", "-", "tok", "."])
        #expect(try tokens(added, "_tok ütok tok\u{301} toks").filter { $0 == "tok" } == [])
    }

    @Test("that are normalized are found in the normalized text")
    func normalized() throws {
        let nfc = #"{"type": "NFC"}"#
        let text = "e\u{301}! é!"
        let verbatim = [TokenizerText.addedToken("é!", id: 256)]
        #expect(try tokens(verbatim, normalizer: nfc, text) == ["Ã", "©", "!", "Ġ", "é!"])
        let normalized = [TokenizerText.addedToken("e\u{301}!", id: 256, ["normalized"])]
        #expect(
            try tokens(normalized, normalizer: nfc, text).map(\.bytes) == ["e\u{301}!", "Ġ", "e\u{301}!"].map(\.bytes))
    }

    @Test("decode as bytes if they are written in the byte-level alphabet, otherwise as they are")
    func decode() throws {
        var source = TokenizerText()
        source.addedTokens =
            "[\(TokenizerText.addedToken("<Ġ>", id: 256)), \(TokenizerText.addedToken("<｜a b｜>", id: 257, ["special"]))]"
        let tokenizer = try source.load()
        #expect(tokenizer.decode([256, 257]) == "< >")
        #expect(tokenizer.decode([256, 257], skipSpecialTokens: false) == "< ><｜a b｜>")
        #expect(tokenizer.token(257) == "<｜a b｜>")
    }
}

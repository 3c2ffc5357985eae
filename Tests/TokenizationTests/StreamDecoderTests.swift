import TestSupport
import Testing

@testable import Tokenization

@Suite("Stream decoder")
struct StreamDecoderTests {
    @Test("gives in pieces what decoding gives at once, for any tokens", arguments: [true, false])
    func equalsDecode(skipSpecialTokens: Bool) throws {
        // One token a byte: every sequence of bytes occurs, most of them invalid.
        var source = TokenizerText()
        source.addedTokens = "[\(TokenizerText.addedToken("<|eot|>", id: 256, ["special"]))]"
        let tokenizer = try source.load()
        var generator = SeededGenerator(state: 7)
        let bytes: [Int] = [0x41, 0x80, 0xBF, 0x9F, 0xA0, 0x8F, 0x90, 0xC1, 0xC2, 0xDF, 0xE0, 0xED, 0xEF, 0xF0, 0xF4]
        for _ in 0..<5_000 {
            let ids = (0..<Int.random(in: 0...12, using: &generator)).map { _ in
                Bool.random(using: &generator)
                    ? bytes.randomElement(using: &generator) ?? 0 : Int.random(in: -1...257, using: &generator)
            }
            var decoder = StreamDecoder(tokenizer, skipSpecialTokens: skipSpecialTokens)
            let pieces = ids.map { decoder.append($0) } + [decoder.finish()]
            let whole = tokenizer.decode(ids, skipSpecialTokens: skipSpecialTokens)
            #expect(pieces.joined().bytes == whole.bytes, "\(ids)")
        }
    }

    @Test("holds a character back until it is whole")
    func holdsBack() throws {
        var decoder = StreamDecoder(try TokenizerText().load())
        #expect("a🙂b".utf8.map { decoder.append(Int($0)) } == ["a", "", "", "", "🙂", "b"])
        #expect(decoder.finish() == "")
    }

    @Test("gives out what cannot become a character")
    func invalidBytes() throws {
        var decoder = StreamDecoder(try TokenizerText().load())
        #expect([0xE2, 0x82, 0x41, 0xFF, 0xF0].map { decoder.append($0) } == ["", "", "\u{FFFD}A", "\u{FFFD}", ""])
        #expect(decoder.finish() == "\u{FFFD}")
        #expect(decoder.finish() == "")
    }
}

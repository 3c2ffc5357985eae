import ModelFiles
import TestSupport
import Testing

@testable import Tokenization

@Suite("Tokenizers of the golden set")
struct GoldenTests {
    @Test("give the ids and texts of the reference", arguments: Golden.tokenizerNames)
    func matchReference(name: String) throws {
        let tokenizer = try Golden.tokenizer(name)
        let cases = try Golden.json("tokenizer/tokenizer_cases.json")
        let expected = try #require(cases["tiny"]?[name])
        let texts = (cases["texts"]?.elements ?? []).compactMap(\.text) + [expected["special_case_text"]?.text ?? ""]
        #expect(texts.count == 125)
        for (index, text) in texts.enumerated() {
            let ids = try #require(expected["ids"]?.elements[index].integers)
            #expect(tokenizer.encode(text) == ids, "\(text)")
            #expect(
                tokenizer.encode(text, addSpecialTokens: false) == expected["ids_no_special"]?.elements[index].integers)
            let decoded = tokenizer.decode(ids, skipSpecialTokens: false)
            #expect(decoded.bytes == expected["decode"]?.elements[index].text?.bytes)
            #expect(tokenizer.decode(ids).bytes == expected["decode_skip_special"]?.elements[index].text?.bytes)
        }
    }

    @Test("give the ids of rendered chat templates")
    func matchChatTemplates() throws {
        let cases = try #require(try Golden.json("tokenizer/chat_template_cases.json")["cases"]).elements
        #expect(cases.count == 100)
        for name in Golden.tokenizerNames {
            let tokenizer = try Golden.tokenizer(name)
            for example in cases where example["tokenizer"]?.text == name {
                let rendered = try #require(example["rendered"]?.text)
                #expect(tokenizer.encode(rendered, addSpecialTokens: false) == example["ids"]?.integers)
            }
        }
    }

    @Test("return every text they encode, in its normalization form", arguments: Golden.tokenizerNames)
    func roundTrip(name: String) throws {
        let tokenizer = try Golden.tokenizer(name)
        var generator = SeededGenerator(state: 20_260_101)
        for _ in 0..<1_000 {
            let text = generator.text(maximumCount: 60)
            let expected = name == "qwen" ? NormalizationForm.composed.normalize(text.bytes) : text.bytes
            let ids = tokenizer.encode(text, addSpecialTokens: false)
            #expect(tokenizer.decode(ids, skipSpecialTokens: false).bytes == expected, "\(text)")
        }
    }

    @Test("know their tokens by text and by id")
    func vocabulary() throws {
        let tokenizer = try Golden.tokenizer("qwen")
        #expect(tokenizer.vocabularySize == 576)
        #expect(tokenizer.id(of: "<|im_end|>") == 562)
        #expect(tokenizer.token(562) == "<|im_end|>")
        #expect(tokenizer.isSpecial(562))
        #expect(tokenizer.id(of: "<think>") == 567)
        #expect(!tokenizer.isSpecial(567))
        #expect(tokenizer.id(of: "Ġthe") == 268)
        #expect(tokenizer.token(268) == "Ġthe")
        #expect(tokenizer.id(of: " the") == nil)
        #expect(tokenizer.token(576) == nil)
        #expect(tokenizer.token(-1) == nil)
        for id in 0..<tokenizer.vocabularySize { #expect(tokenizer.id(of: tokenizer.token(id) ?? "") == id) }
    }

    @Test("say which tokens they put around a text")
    func template() throws {
        #expect(try Golden.tokenizer("llama4").beginTokenIDs == [496])
        #expect(try Golden.tokenizer("llama3").beginTokenIDs == [496])
        #expect(try Golden.tokenizer("qwen").beginTokenIDs == [])
        #expect(try Golden.tokenizer("llama4").endTokenIDs == [])
    }
}

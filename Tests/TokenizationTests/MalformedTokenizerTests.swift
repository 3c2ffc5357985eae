import ModelFiles
import TestSupport
import Testing

@testable import Tokenization

@Suite("Malformed tokenizer files")
struct MalformedTokenizerTests {
    /// A file with one mistake, and the error that it must cause.
    struct Mistake: Sendable, CustomTestStringConvertible {
        let item: String?
        let code: ModelFileError.Code
        let text: String
        var testDescription: String { "\(item ?? "root") \(code)" }

        init(_ item: String?, _ code: ModelFileError.Code, text: String) {
            self.item = item
            self.code = code
            self.text = text
        }

        init(_ item: String?, _ code: ModelFileError.Code, _ change: (inout TokenizerText) -> Void) {
            var source = TokenizerText()
            change(&source)
            self.init(item, code, text: source.text)
        }

        /// A sound file in which one part of the text is replaced.
        init(_ item: String?, _ code: ModelFileError.Code, replacing part: String, with other: String) {
            let parts = TokenizerText().text.split(separator: part, omittingEmptySubsequences: false)
            self.init(item, code, text: parts.joined(separator: other))
        }
    }

    private static func token(_ content: String, _ id: Int) -> String { TokenizerText.addedToken(content, id: id) }

    private static func sequence(_ key: String, _ element: String, count: Int) -> String {
        #"{"type": "Sequence", "\#(key)": [\#(Array(repeating: element, count: count).joined(separator: ","))]}"#
    }

    private static func template(_ single: String, _ ids: String = "[65]") -> String {
        #"{"type": "TemplateProcessing", "single": \#(single), "special_tokens": {"<s>": {"ids": \#(ids)}}}"#
    }

    private static func split(_ pattern: String, behavior: String = #""Isolated""#, invert: String = "false") -> String
    {
        sequence(
            "pretokenizers",
            #"{"type": "Split", "pattern": \#(pattern), "behavior": \#(behavior), "invert": \#(invert)}"#, count: 1)
    }

    static let model: [Mistake] = [
        Mistake(nil, .mismatched, text: "[]"),
        Mistake("model", .missing, text: "{}"),
        Mistake("model", .missing, text: #"{"model": null}"#),
        Mistake("model", .mismatched, text: #"{"model": "BPE"}"#),
        Mistake("model.type", .unsupported, replacing: #""BPE""#, with: #""Unigram""#),
        Mistake("model.type", .mismatched, replacing: #""BPE""#, with: "1"),
        Mistake("model.vocab", .missing, replacing: #""vocab""#, with: #""vocabulary""#),
        Mistake("model.merges", .missing, replacing: #""merges""#, with: #""merge""#),
        Mistake("model.vocab", .mismatched) { $0.vocabulary = "[]" },
        Mistake("model.vocab.'a'", .mismatched) { $0.vocabulary = #"{"a": "0"}"# },
        Mistake("model.vocab.'a'", .mismatched) { $0.vocabulary = #"{"a": 0.5}"# },
        Mistake("model.vocab.'a'", .mismatched) { $0.vocabulary = #"{"a": -1}"# },
        Mistake("model.vocab.'a'", .mismatched) { $0.vocabulary = #"{"a": 4194304}"# },
        Mistake("model.vocab.'a'", .mismatched) { $0.vocabulary = #"{"a": 9223372036854775807}"# },
        Mistake("model.vocab.'a'", .mismatched) { $0.vocabulary = #"{"a": 99999999999999999999}"# },
        Mistake("model.vocab", .malformed) { $0.vocabulary = #"{"a": 1, "b": 1}"# },
        Mistake("model.vocab", .malformed) { $0.vocabulary = #"{"a b": 1}"# },
        Mistake("model.vocab", .malformed) { $0.vocabulary = #"{"▁the": 1}"# },
        Mistake("model.merges", .mismatched) { $0.merges = "{}" },
        Mistake("model.merges[0]", .malformed) { $0.merges = "[1]" },
        Mistake("model.merges[0]", .malformed) { $0.merges = #"["ab"]"# },
        Mistake("model.merges[0]", .malformed) { $0.merges = #"["a b c"]"# },
        Mistake("model.merges[0]", .malformed) { $0.merges = #"[["a", "b", "c"]]"# },
        Mistake("model.merges[0]", .malformed) { $0.merges = #"[["a", 1]]"# },
        Mistake("model.merges[1]", .malformed) {
            $0.vocabulary = #"{"a": 0, "b": 1, "ab": 2}"#
            $0.merges = #"["a b", "a c"]"#
        },
        Mistake("model.merges[0]", .malformed) { $0.merges = #"["a b"]"# },
        Mistake("model.merges[0]", .malformed) { $0.merges = #"["a ▁"]"# },
        Mistake("model.byte_fallback", .unsupported) { $0.modelFields = #", "byte_fallback": true"# },
        Mistake("model.dropout", .unsupported) { $0.modelFields = #", "dropout": 0.1"# },
        Mistake("model.continuing_subword_prefix", .unsupported) {
            $0.modelFields = #", "continuing_subword_prefix": "@@""#
        },
        Mistake("model.end_of_word_suffix", .unsupported) { $0.modelFields = #", "end_of_word_suffix": "</w>""# },
        Mistake("model.ignore_merges", .mismatched) { $0.modelFields = #", "ignore_merges": 1"# },
        Mistake("model.unk_token", .unsupported) {
            $0.vocabulary = #"{"a": 0}"#
            $0.modelFields = #", "unk_token": "a""#
        },
    ]

    static let addedTokens: [Mistake] = [
        Mistake("added_tokens", .mismatched) { $0.addedTokens = "{}" },
        Mistake("added_tokens[0]", .mismatched) { $0.addedTokens = #"["<s>"]"# },
        Mistake("added_tokens[0].id", .missing) { $0.addedTokens = #"[{"content": "<s>"}]"# },
        Mistake("added_tokens[0].content", .missing) { $0.addedTokens = #"[{"id": 256}]"# },
        Mistake("added_tokens[0].special", .missing) { $0.addedTokens = #"[{"id": 256, "content": "<s>"}]"# },
        Mistake("added_tokens[0].id", .mismatched) { $0.addedTokens = "[\(token("<s>", 4_194_304))]" },
        Mistake("added_tokens[0].content", .mismatched) { $0.addedTokens = "[\(token("", 256))]" },
        Mistake("added_tokens[0].content", .mismatched) {
            $0.addedTokens = "[\(token(String(repeating: "x", count: 1_025), 256))]"
        },
        Mistake("added_tokens", .unsupported) {
            let tokens = (0..<2_049).map { token(String(repeating: "x", count: 1_020) + String($0 + 1_000), $0 + 256) }
            $0.addedTokens = "[\(tokens.joined(separator: ","))]"
        },
        Mistake("added_tokens[1]", .malformed) { $0.addedTokens = "[\(token("<s>", 256)), \(token("</s>", 256))]" },
        Mistake("added_tokens[1]", .malformed) { $0.addedTokens = "[\(token("<s>", 256)), \(token("<s>", 257))]" },
        Mistake("model.vocab", .malformed) { $0.addedTokens = "[\(token("<s>", 97))]" },
        Mistake("model.vocab", .malformed) { $0.addedTokens = "[\(token("a", 256))]" },
    ]

    static let steps: [Mistake] = [
        Mistake("normalizer", .unsupported) { $0.normalizer = #"{"type": "NFKC"}"# },
        Mistake("normalizer.type", .missing) { $0.normalizer = "{}" },
        Mistake("normalizer.normalizers[0]", .unsupported) {
            $0.normalizer = sequence("normalizers", #"{"type": "Lowercase"}"#, count: 1)
        },
        Mistake("normalizer", .unsupported) { $0.normalizer = sequence("normalizers", #"{"type": "NFC"}"#, count: 65) },
        Mistake("pre_tokenizer", .missing) { $0.preTokenizer = "null" },
        Mistake("pre_tokenizer", .unsupported) { $0.preTokenizer = #"{"type": "Metaspace"}"# },
        Mistake("pre_tokenizer", .unsupported) { $0.preTokenizer = #"{"type": "Sequence", "pretokenizers": []}"# },
        Mistake("pre_tokenizer.pretokenizers[1]", .unsupported) {
            $0.preTokenizer = sequence("pretokenizers", TokenizerText().preTokenizer, count: 2)
        },
        Mistake("pre_tokenizer.add_prefix_space", .missing) { $0.preTokenizer = #"{"type": "ByteLevel"}"# },
        Mistake("pre_tokenizer.pretokenizers[0].pattern", .mismatched) { $0.preTokenizer = split(#""a""#) },
        Mistake("pre_tokenizer.pretokenizers[0].pattern", .unsupported) { $0.preTokenizer = split("{}") },
        Mistake("pre_tokenizer.pretokenizers[0].pattern.Regex", .malformed) {
            $0.preTokenizer = split(#"{"Regex": "(a"}"#)
        },
        Mistake("pre_tokenizer.pretokenizers[0].pattern.Regex", .unsupported) {
            $0.preTokenizer = split(#"{"Regex": "(?<=a)b"}"#)
        },
        Mistake("pre_tokenizer.pretokenizers[0].behavior", .unsupported) {
            $0.preTokenizer = split(#"{"Regex": "a"}"#, behavior: #""Swallowed""#)
        },
        Mistake("pre_tokenizer.pretokenizers[0].invert", .mismatched) {
            $0.preTokenizer = split(#"{"Regex": "a"}"#, invert: "0")
        },
        Mistake("decoder", .missing) { $0.decoder = "null" },
        Mistake("decoder", .unsupported) { $0.decoder = #"{"type": "WordPiece"}"# },
        Mistake("decoder", .unsupported) { $0.decoder = sequence("decoders", #"{"type": "ByteLevel"}"#, count: 2) },
        Mistake("post_processor", .unsupported) { $0.postProcessor = #"{"type": "BertProcessing"}"# },
        Mistake("post_processor.single", .unsupported) { $0.postProcessor = template("[]") },
        Mistake("post_processor.single[0].Sequence", .unsupported) {
            $0.postProcessor = template(#"[{"Sequence": {"id": "B"}}]"#)
        },
        Mistake("post_processor.special_tokens.</s>", .missing) {
            $0.postProcessor = template(#"[{"SpecialToken": {"id": "</s>"}}, {"Sequence": {"id": "A"}}]"#)
        },
        Mistake("post_processor.special_tokens.<s>.ids[0]", .malformed) {
            $0.postProcessor = template(#"[{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}]"#, "[256]")
        },
        Mistake("post_processor.single", .unsupported) {
            let ids = "[\(Array(repeating: "65", count: 257).joined(separator: ","))]"
            $0.postProcessor = template(#"[{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}]"#, ids)
        },
    ]

    @Test("are refused with the field and the kind of mistake", arguments: model + addedTokens + steps)
    func refuse(mistake: Mistake) throws {
        let json = try JSON(parsing: mistake.text)
        let error = #expect(throws: ModelFileError.self) { try Tokenizer(json: json, file: "some/tokenizer.json") }
        #expect(error?.item == mistake.item, "\(error?.description ?? "")")
        #expect(error?.code == mistake.code, "\(error?.description ?? "")")
        #expect(error?.file == "some/tokenizer.json")
        let message = error?.description ?? ""
        #expect(message.count < 300 && !message.contains("\n"))
    }

    @Test("that cannot be read or are not JSON are refused")
    func files() {
        let missing = #expect(throws: ModelFileError.self) { try Tokenizer(contentsOfFile: Golden.path("none.json")) }
        #expect(missing?.code == .inaccessible)
        let folder = #expect(throws: ModelFileError.self) { try Tokenizer(contentsOfFile: Golden.path("tokenizer")) }
        #expect(folder?.code == .malformed)
        let text = #expect(throws: ModelFileError.self) { try Tokenizer(contentsOfFile: Golden.path("README.md")) }
        #expect(text?.code == .malformed)
    }

    @Test("do not stop what is harmless")
    func harmless() throws {
        var source = TokenizerText()
        source.modelFields = #", "unk_token": "!", "continuing_subword_prefix": "", "dropout": null, "fuse_unk": false"#
        source.addedTokens = "[\(TokenizerText.addedToken("!", id: 33))]"
        source.vocabulary = "{\(TokenizerText.alphabet), \"<｜end▁of▁text｜>\": 256}"
        source.addedTokens = "[\(TokenizerText.addedToken("<｜end▁of▁text｜>", id: 256))]"
        source.decoder = #"{"type": "Sequence", "decoders": [{"type": "ByteLevel"}]}"#
        #expect(try source.load().encode("a<｜end▁of▁text｜>") == [97, 256])
    }
}

import ModelFiles

@testable import Tokenization

/// The text of a `tokenizer.json`, to be changed field by field; the vocabulary is one token a byte.
struct TokenizerText {
    var addedTokens = "[]"
    var normalizer = "null"
    var preTokenizer = #"{"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}"#
    var postProcessor = "null"
    var decoder = #"{"type": "ByteLevel"}"#
    var vocabulary = "{\(alphabet)}"
    var merges = "[]"
    var modelFields = ""

    /// The members of `vocab` for the 256 bytes; the id of a byte is the byte.
    static let alphabet = ByteLevelAlphabet.scalars.enumerated()
        .map { byte, scalar in #""\#(scalar == "\"" || scalar == "\\" ? "\\" : "")\#(scalar)": \#(byte)"# }
        .joined(separator: ", ")

    var model: String {
        #"{"type": "BPE", "vocab": \#(vocabulary), "merges": \#(merges)\#(modelFields)}"#
    }

    var text: String {
        """
        {"added_tokens": \(addedTokens), "normalizer": \(normalizer), "pre_tokenizer": \(preTokenizer),
        "post_processor": \(postProcessor), "decoder": \(decoder), "model": \(model)}
        """
    }

    func load() throws -> Tokenizer {
        try Tokenizer(json: JSON(parsing: text), file: "tokenizer.json")
    }

    /// One element of `added_tokens` with the given flags set.
    static func addedToken(_ content: String, id: Int, _ flags: Set<String> = []) -> String {
        let members = ["special", "lstrip", "rstrip", "single_word", "normalized"]
            .map { #""\#($0)": \#(flags.contains($0))"# }
        return #"{"id": \#(id), "content": "\#(content)", \#(members.joined(separator: ", "))}"#
    }
}

import ModelFiles
import TestSupport

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

extension Golden {
    /// The names of the folders below `tokenizer`.
    static let tokenizerNames = ["llama4", "llama3", "qwen", "harmony"]

    static func tokenizer(_ name: String) throws -> Tokenizer {
        try Tokenizer(contentsOfFile: path("tokenizer/\(name)/tokenizer.json"))
    }

    static func json(_ relative: String) throws -> JSON {
        try Tokenizer.contents(ofFile: path(relative)).withUnsafeBytes { bytes in try JSON(parsing: bytes) }
    }
}

extension JSON {
    var elements: [JSON] { if case .array(let elements) = self { elements } else { [] } }
    var text: String? { if case .string(let text) = self { text } else { nil } }
    var integers: [Int] { elements.compactMap { if case .integer(let integer) = $0 { integer } else { nil } } }
}

extension String {
    /// The UTF-8, as Swift's `==` takes canonically equivalent strings for equal.
    var bytes: [UInt8] { Array(utf8) }
}

/// A small generator with a seed (SplitMix64), so that a failure can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    /// A text of scalars of all kinds, most of them from the scripts below U+3000.
    mutating func text(maximumCount: Int) -> String {
        var text = String.UnicodeScalarView()
        for _ in 0..<Int.random(in: 0...maximumCount, using: &self) {
            let limit: UInt32 = [0x7F, 0x7F, 0x7FF, 0x2FFF, 0xFFFF, 0x10FFFF].randomElement(using: &self) ?? 0x7F
            if let scalar = Unicode.Scalar(UInt32.random(in: 0...limit, using: &self)) { text.append(scalar) }
        }
        return String(text)
    }
}

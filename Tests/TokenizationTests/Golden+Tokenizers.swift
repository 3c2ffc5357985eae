import ModelFiles
import TestSupport

@testable import Tokenization

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

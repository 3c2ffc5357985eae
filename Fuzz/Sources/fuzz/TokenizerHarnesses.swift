import ModelFiles
import Tokenization

/// `tokenizer.json`: what loads must encode and decode.
@Sendable func fuzzTokenizer(_ bytes: UnsafeRawBufferPointer) {
    guard let json = try? JSON(parsing: bytes),
        let tokenizer = try? Tokenizer(json: json, file: "tokenizer.json")
    else { return }
    let text = "Hello <|end|>, it's 2024!\n  \u{e9}e\u{301} \u{4f60}\u{597d} \u{1F469}\u{200d}\u{1F4BB}\r\n\ttabs"
    let ids = tokenizer.encode(text)
    _ = tokenizer.decode(ids, skipSpecialTokens: false)
    _ = tokenizer.decode(ids.reversed() + [-1, 0, Int.max])
}

/// The tokenizers that `run.sh` names in the environment, one a line.
private let tokenizers: [Tokenizer] = {
    let paths = ProcessEnvironment["NIBBLE_FUZZ_TOKENIZERS"]?.split(separator: "\n") ?? []
    return paths.map { path in
        do { return try Tokenizer(contentsOfFile: String(path)) } catch { preconditionFailure("\(error)") }
    }
}()

/// Text for sound tokenizers: decoding must give the text back where nothing normalizes it.
@Sendable func fuzzEncoding(_ bytes: UnsafeRawBufferPointer) {
    precondition(!tokenizers.isEmpty, "NIBBLE_FUZZ_TOKENIZERS names no tokenizer.json")
    let text = String(decoding: bytes, as: UTF8.self)
    for tokenizer in tokenizers {
        let ids = tokenizer.encode(text, addSpecialTokens: false)
        let decoded = tokenizer.decode(ids, skipSpecialTokens: false)
        precondition(ids.allSatisfy { (0..<tokenizer.vocabularySize).contains($0) }, "an id is out of range")
        // Swift's == holds for texts that differ in normalization only.
        precondition(decoded == text, "the text changed")
    }
}

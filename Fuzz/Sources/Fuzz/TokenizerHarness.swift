import ModelFiles
import Tokenization

private let text = "Hello, wo\u{308}rld\u{E9}!  12345 don't\r\n\t<|end|> \u{65E5}\u{672C} \u{1F600}ab"

/// The input is a `tokenizer.json`, which encodes a fixed text and decodes what comes out.
func fuzzTokenizer(_ input: UnsafeRawBufferPointer) {
    refusing {
        let tokenizer = try Tokenizer(json: try JSON(parsing: input), file: "tokenizer.json")
        let tokens = tokenizer.encode(text)
        for skipSpecialTokens in [true, false] {
            let whole = tokenizer.decode(tokens, skipSpecialTokens: skipSpecialTokens)
            var decoder = StreamDecoder(tokenizer, skipSpecialTokens: skipSpecialTokens)
            var streamed = ""
            for token in tokens { streamed += decoder.append(token) }
            streamed += decoder.finish()
            precondition(whole.utf8.elementsEqual(streamed.utf8), "the stream differs from the whole")
        }
        // Tokens that no text gives.
        _ = tokenizer.decode([0, -1, .max, 300, 1])
    }
}

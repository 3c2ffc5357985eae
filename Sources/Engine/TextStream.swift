import Tokenization

/// Turns tokens into text piece by piece, up to a stop string.
struct TextStream {
    private var decoder: StreamDecoder?
    private var stops: StopSequences
    /// The text so far.
    private(set) var text = ""
    /// Whether a stop string was found.
    private(set) var isStopped = false

    /// Without a tokenizer there is no text.
    init(_ tokenizer: Tokenizer?, stops: [String]) {
        decoder = tokenizer.map { StreamDecoder($0) }
        self.stops = StopSequences(stops)
    }

    /// The text that a token makes certain.
    mutating func append(_ token: Int) -> String {
        guard let decoded = decoder?.append(token) else { return "" }
        return take(decoded)
    }

    /// The text held back until now, once no more tokens come.
    mutating func finish() -> String {
        guard !isStopped, let decoded = decoder?.finish() else { return "" }
        let certain = take(decoded)
        guard !isStopped else { return certain }
        let rest = stops.finish()
        text += rest
        return certain + rest
    }

    private mutating func take(_ decoded: String) -> String {
        let (certain, found) = stops.append(decoded)
        isStopped = found
        text += certain
        return certain
    }
}

/// A text cut into pieces; merges never cross the border of a piece.
struct PreTokenizedText {
    /// The text in UTF-8.
    var bytes: [UInt8]
    /// The pieces in the order of the text, none empty.
    var pieces: [Range<Int>]

    /// A text in one piece.
    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        pieces = bytes.isEmpty ? [] : [bytes.indices]
    }
}

internal import ModelFiles

/// A token that is found in the text as it is written, before byte-pair encoding.
struct AddedToken: Sendable {
    /// The longest content in bytes; it bounds the time of the search.
    static let maximumByteCount = 1_024

    let id: Int
    let content: String
    /// Whether `skipSpecialTokens` leaves it out.
    let isSpecial: Bool
    /// Whether it also takes the white space before it.
    let stripsLeft: Bool
    /// Whether it also takes the white space after it.
    let stripsRight: Bool
    /// Whether it is only found between characters that belong to no word.
    let isSingleWord: Bool
    /// Whether it is searched in the normalized text.
    let isNormalized: Bool

    /// Reads an element of `added_tokens`.
    init(_ field: JSONField) throws(ModelFileError) {
        id = try field.member("id").tokenID()
        content = try field.member("content").string()
        guard (1...Self.maximumByteCount).contains(content.utf8.count) else {
            throw try field.member("content").error(
                .mismatched,
                "found a text of \(content.utf8.count) bytes, expected 1 to \(Self.maximumByteCount)")
        }
        isSpecial = try field.member("special").boolean()
        stripsLeft = try field.member("lstrip").boolean()
        stripsRight = try field.member("rstrip").boolean()
        isSingleWord = try field.member("single_word").boolean()
        isNormalized = try field.member("normalized").boolean()
    }
}

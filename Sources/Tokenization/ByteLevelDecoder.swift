internal import ModelFiles

/// The only decoder of byte-level vocabularies: the bytes of all tokens, read as UTF-8.
enum ByteLevelDecoder {
    /// Checks that `decoder` is `ByteLevel`, perhaps in a `Sequence`.
    static func check(_ field: JSONField) throws(ModelFileError) {
        let types = try field.flattened(by: "decoders").map { (element) throws(ModelFileError) in try element.type() }
        guard types == ["ByteLevel"] else { throw field.unsupported(types.joined(separator: ", "), "ByteLevel") }
    }
}

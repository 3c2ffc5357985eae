internal import ModelFiles

/// A value of `tokenizer.json` with its place, for errors that name it.
struct JSONField {
    /// The number of steps in a `Sequence`, so that a small file cannot ask for endless work.
    private static let maximumStepCount = 64

    let value: JSON
    /// The path from the root: `model.merges`.
    let path: String
    /// The file, for messages.
    let file: String

    func error(_ code: ModelFileError.Code, _ message: String) -> ModelFileError {
        ModelFileError(code, file: file, item: path.isEmpty ? nil : path, message)
    }

    /// An error that names what was found and what is supported.
    func unsupported(_ found: String, _ supported: String) -> ModelFileError {
        error(.unsupported, "found \(found.quotedForMessage), supported: \(supported)")
    }

    private func mismatch(_ expected: String) -> ModelFileError {
        error(.mismatched, "found \(value.typeName), expected \(expected)")
    }

    private func child(_ key: String, _ value: JSON) -> JSONField {
        JSONField(value: value, path: path.isEmpty ? key : "\(path).\(key)", file: file)
    }

    // MARK: Members

    /// The member of an object; nil if it is absent or null.
    func optionalMember(_ key: String) throws(ModelFileError) -> JSONField? {
        guard case .object = value else { throw mismatch("an object") }
        guard let member = value[key], member != .null else { return nil }
        return child(key, member)
    }

    /// The member of an object; an error if it is absent or null.
    func member(_ key: String) throws(ModelFileError) -> JSONField {
        guard let member = try optionalMember(key) else {
            throw child(key, .null).error(.missing, "expected a value, found none")
        }
        return member
    }

    /// The elements of an array.
    func elements() throws(ModelFileError) -> [JSONField] {
        guard case .array(let elements) = value else { throw mismatch("an array") }
        return elements.enumerated().map { JSONField(value: $0.element, path: "\(path)[\($0.offset)]", file: file) }
    }

    /// The member `type`.
    func type() throws(ModelFileError) -> String { try member("type").string() }

    /// This alone, or, if its type is `Sequence`, the elements of its member `key`, and so on inside them.
    func flattened(by key: String) throws(ModelFileError) -> [JSONField] {
        guard try type() == "Sequence" else { return [self] }
        var result: [JSONField] = []
        for element in try member(key).elements() {
            result += try element.flattened(by: key)
            guard result.count <= Self.maximumStepCount else {
                throw error(.unsupported, "found more than the \(Self.maximumStepCount) steps that are supported")
            }
        }
        return result
    }

    // MARK: Values

    func string() throws(ModelFileError) -> String {
        guard case .string(let string) = value else { throw mismatch("a string") }
        return string
    }

    func boolean() throws(ModelFileError) -> Bool {
        guard case .bool(let boolean) = value else { throw mismatch("a boolean") }
        return boolean
    }

    /// A token id, below ``Tokenizer/maximumVocabularySize``.
    func tokenID() throws(ModelFileError) -> Int {
        guard case .integer(let id) = value else { throw mismatch("a token id") }
        guard (0..<Tokenizer.maximumVocabularySize).contains(id) else {
            throw error(.mismatched, "found the token id \(id), expected 0 to \(Tokenizer.maximumVocabularySize - 1)")
        }
        return id
    }

    /// The token id that is a member; faster than by its path, which only an error needs.
    func tokenID(_ value: JSON, of token: String) throws(ModelFileError) -> Int {
        if case .integer(let id) = value, (0..<Tokenizer.maximumVocabularySize).contains(id) { return id }
        return try child(token.quotedForMessage, value).tokenID()
    }
}

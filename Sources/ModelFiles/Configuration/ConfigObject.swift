/// A JSON object of a configuration file, which knows where it stands so that its errors can say it.
///
/// A member that is `null` counts as absent, as in the Python programs that write these files.
public struct ConfigObject: Sendable {
    /// The path of the file.
    public let file: String
    /// The keys that lead here from the top of the file: `text_config.rope_scaling`; empty at the top.
    public let path: String
    /// The members, including those that are `null`.
    private let value: JSON

    /// Reads a file that holds one JSON object.
    ///
    /// - Throws: ``ModelFileError`` if the file cannot be read or is not a JSON object.
    public init(contentsOf file: String) throws(ModelFileError) {
        let mapped = try MappedFile(path: file)
        let value: JSON
        do {
            value = try mapped.withBytes { (bytes) throws(JSONError) in try JSON(parsing: bytes) }
        } catch {
            throw ModelFileError(.malformed, file: file, "not valid JSON: \(error)")
        }
        try self.init(value, file: file)
    }

    /// A view of a JSON value that must be an object; `file` and `path` are for messages.
    public init(_ value: JSON, file: String, path: String = "") throws(ModelFileError) {
        guard case .object = value else {
            throw ModelFileError(
                .mismatched, file: file, item: path.isEmpty ? nil : path,
                "expected an object, found \(value.typeName)")
        }
        self.file = file
        self.path = path
        self.value = value
    }

    /// The keys whose value is not `null`, in the order of the file.
    public var keys: [String] {
        guard case .object(let members) = value else { return [] }
        return members.compactMap { $0.value == .null ? nil : $0.key }
    }

    /// The value of a key, or nil if it is absent or `null`.
    public subscript(key: String) -> JSON? {
        guard let member = value[key], member != .null else { return nil }
        return member
    }

    /// Whether the key is there and not `null`.
    public func has(_ key: String) -> Bool { self[key] != nil }

    /// An error about a member: `config.json: rope_scaling.factor: MESSAGE`.
    public func error(_ code: ModelFileError.Code, _ key: String, _ message: String) -> ModelFileError {
        let item = path.isEmpty ? key.shortenedForMessage : path + "." + key.shortenedForMessage
        return ModelFileError(code, file: file, item: item, message)
    }

    /// The object below a key, or nil if it is absent.
    ///
    /// - Throws: ``ModelFileError`` with code `mismatched` if the value is not an object.
    public func optionalObject(_ key: String) throws(ModelFileError) -> ConfigObject? {
        guard let member = self[key] else { return nil }
        guard case .object = member else { throw mismatch(key, member, expected: "an object") }
        return try ConfigObject(member, file: file, path: path.isEmpty ? key : path + "." + key)
    }

    /// The object below a key.
    ///
    /// - Throws: ``ModelFileError`` with code `missing` or `mismatched`.
    public func object(_ key: String) throws(ModelFileError) -> ConfigObject {
        guard let object = try optionalObject(key) else { throw missing(key, expected: "an object") }
        return object
    }

    func mismatch(_ key: String, _ found: JSON, expected: String) -> ModelFileError {
        error(.mismatched, key, "expected \(expected), found \(found.typeName)")
    }

    func missing(_ key: String, expected: String) -> ModelFileError {
        error(.missing, key, "missing, expected \(expected)")
    }
}

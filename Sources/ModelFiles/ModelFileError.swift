/// Why a file of a model was refused.
public struct ModelFileError: Error, Equatable, CustomStringConvertible {
    /// What kind of mistake it is.
    public enum Code: Sendable, Equatable {
        /// The file or folder does not exist or cannot be read or written.
        case inaccessible
        /// The file does not follow its format.
        case malformed
        /// A field or tensor is missing.
        case missing
        /// A field or tensor has another type, shape or range than expected.
        case mismatched
        /// The file is sound, but Nibble does not implement what it asks for.
        case unsupported
    }

    /// What kind of mistake it is.
    public let code: Code
    /// The path of the file or folder.
    public let file: String
    /// The tensor or field, where there is one: `model.embed_tokens.weight`, `rope_scaling.factor`.
    public let item: String?
    /// What was found, what was expected, and what to do about it.
    public let message: String

    /// An error about a file, and an item in it.
    public init(_ code: Code, file: String, item: String? = nil, _ message: String) {
        self.code = code
        self.file = file
        self.item = item
        self.message = message
    }

    /// One line: the file, the item and the message.
    public var description: String {
        let file = file.isEmpty ? "''" : file
        return if let item { "\(file): \(item): \(message)" } else { "\(file): \(message)" }
    }
}

/// Why a text is not the JSON that was expected.
public struct JSONError: Error, Equatable, CustomStringConvertible {
    /// What is wrong, in one sentence.
    public let message: String
    /// The byte at which it was found, from the start of the text.
    public let offset: Int

    /// The message with its place.
    public var description: String { "\(message) at byte \(offset)" }
}

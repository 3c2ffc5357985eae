/// Why a request cannot be run.
public struct EngineError: Error, Equatable, CustomStringConvertible {
    /// What kind of mistake it is.
    public enum Code: Sendable, Equatable {
        /// An option is outside its range.
        case invalidOption
        /// The prompt is empty, too long, or holds a token that the model does not know.
        case invalidPrompt
        /// The model lacks something that was asked for, such as a chat template.
        case unsupported
        /// The model computed logits that are not numbers.
        case invalidLogits
    }

    /// What kind of mistake it is.
    public let code: Code
    /// What was found and what was expected.
    public let description: String

    /// An error with its one-line message.
    public init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}

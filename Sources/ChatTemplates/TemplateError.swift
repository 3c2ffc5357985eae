/// Why a chat template could not be parsed or rendered.
public struct TemplateError: Error, Equatable, CustomStringConvertible {
    /// What kind of mistake it is.
    public enum Code: Sendable, Equatable {
        /// The template is not valid Jinja, or uses a part of Jinja that Nibble does not implement.
        case syntax
        /// An operation failed: an undefined name, a wrong type, a forbidden attribute.
        case evaluation
        /// The template called `raise_exception`; the message is the template's own.
        case raised
        /// The template exceeded one of the ``TemplateLimits``.
        case limit
    }

    /// What kind of mistake it is.
    public let code: Code
    /// The name that the template was given when it was parsed.
    public let template: String
    /// The line of the template, from 1.
    public let line: Int
    /// What was found and what was expected.
    public let message: String

    /// One line: the template, the line and the message.
    public var description: String {
        let scalars = message.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }
        return "\(template):\(line): \(PythonString(scalars).text)"
    }
}

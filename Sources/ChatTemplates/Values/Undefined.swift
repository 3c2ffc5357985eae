internal import ModelFiles

/// What a missing name, attribute or element evaluates to: it prints as nothing, is false and refuses everything else.
indirect enum Undefined {
    case variable(String)
    case attribute(PythonString, of: Value)
    case element(Value, of: Value)
    /// The sandbox does not give out this attribute.
    case unsafe(PythonString, of: Value)
    case hint(String)

    /// The error for using it, in Jinja's words.
    var failure: Failure {
        switch self {
        case .variable(let name): Failure("'\(name)' is undefined")
        case .attribute(let name, let owner):
            Failure("'\(Self.describe(owner))' has no attribute \(name.text.quotedForMessage)")
        case .element(let key, let owner): Failure("\(Self.describe(owner)) has no element \(key.shortDescription)")
        case .unsafe(let name, let owner):
            Failure("access to attribute \(name.text.quotedForMessage) of '\(owner.typeName)' object is unsafe.")
        case .hint(let message): Failure(message)
        }
    }

    private static func describe(_ value: Value) -> String {
        switch value {
        case .none: "None"
        case .namespace: "jinja2.utils.Namespace object"
        case .loop: "jinja2.runtime.LoopContext object"
        case .function(.macro): "jinja2.runtime.Macro object"
        default: "\(value.typeName) object"
        }
    }
}

extension Value {
    /// A few words about a value for a message, never long.
    fileprivate var shortDescription: String {
        switch self {
        case .none: "None"
        case .bool(let value): value ? "True" : "False"
        case .integer(let value): String(value)
        case .float(let value): PythonFormatter.describe(value)
        case .string(let value): value.text.quotedForMessage
        default: "of type \(typeName)"
        }
    }
}

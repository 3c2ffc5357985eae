/// A JSON value whose objects keep the order of their keys.
///
/// Chat templates print objects in the order in which they were written, and a safetensors header must not name a
/// tensor twice; Foundation's decoder hides both, so Nibble reads JSON itself.
public enum JSON: Sendable, Equatable {
    /// `null`.
    case null
    /// `true` or `false`.
    case bool(Bool)
    /// A number written without fraction and exponent that fits an `Int`.
    case integer(Int)
    /// Any other number, always finite.
    case number(Double)
    /// A string.
    case string(String)
    /// An array.
    case array([JSON])
    /// An object, in the order of the text.
    case object(JSONObject)
}

extension JSON {
    /// The member of an object, or nil if there is none or this is not an object.
    public subscript(key: String) -> JSON? {
        guard case .object(let members) = self else { return nil }
        return members[key]
    }

    /// What this value is, in JSON's words, for messages.
    public var typeName: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer: "an integer"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

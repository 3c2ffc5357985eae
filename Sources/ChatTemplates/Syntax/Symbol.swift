/// Operators and punctuation.
enum Symbol: String, Sendable, CaseIterable {
    case floorDivide = "//"
    case power = "**"
    case equal = "=="
    case notEqual = "!="
    case greaterOrEqual = ">="
    case lessOrEqual = "<="
    case add = "+"
    case subtract = "-"
    case divide = "/"
    case multiply = "*"
    case remainder = "%"
    case tilde = "~"
    case openBracket = "["
    case closeBracket = "]"
    case openParenthesis = "("
    case closeParenthesis = ")"
    case openBrace = "{"
    case closeBrace = "}"
    case greater = ">"
    case less = "<"
    case assign = "="
    case dot = "."
    case colon = ":"
    case pipe = "|"
    case comma = ","
    case semicolon = ";"

    /// The symbol that closes what this one opens.
    var closing: Symbol? {
        switch self {
        case .openBracket: .closeBracket
        case .openParenthesis: .closeParenthesis
        case .openBrace: .closeBrace
        default: nil
        }
    }

    var isClosing: Bool { self == .closeBracket || self == .closeParenthesis || self == .closeBrace }
}

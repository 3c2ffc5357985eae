/// An expression of a template.
indirect enum Expression: Sendable {
    case literal(Literal)
    case name(String, line: Int)
    case tuple([Expression])
    case list([Expression])
    case dictionary([DictionaryEntry])
    case prefixed(PrefixOperator, Expression, line: Int)
    /// Operators of one precedence, applied from left to right.
    case operators(Expression, [Operation])
    /// Attributes, subscripts, calls, filters and tests, applied from left to right.
    case suffixed(Expression, [Suffix])
    case conditional(condition: Expression, then: Expression, otherwise: Expression?)
}

/// A constant.
enum Literal: Sendable {
    case none
    case bool(Bool)
    case integer(Int)
    case float(Double)
    case string(PythonString)
}

/// `key: value` in a dictionary.
struct DictionaryEntry: Sendable {
    let key: Expression
    let value: Expression
}

/// An operator before its operand.
enum PrefixOperator: Sendable {
    case not, minus, plus
}

/// An operator between two operands.
enum BinaryOperator: Sendable {
    case or, and
    case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual, isIn, isNotIn
    case add, subtract
    case concatenate
    case multiply, divide, floorDivide, remainder
    case power

    /// How tight it binds; `not` stands between `and` and the comparisons.
    enum Precedence: Int, Comparable {
        case or, and, not, comparison, sum, concatenation, product, power, operand

        static func < (left: Precedence, right: Precedence) -> Bool { left.rawValue < right.rawValue }

        /// The next tighter precedence.
        var next: Precedence { Precedence(rawValue: rawValue + 1) ?? .operand }
    }

    var precedence: Precedence {
        switch self {
        case .or: .or
        case .and: .and
        case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual, .isIn, .isNotIn: .comparison
        case .add, .subtract: .sum
        case .concatenate: .concatenation
        case .multiply, .divide, .floorDivide, .remainder: .product
        case .power: .power
        }
    }
}

/// An operator with its right operand.
struct Operation: Sendable {
    let symbol: BinaryOperator
    let operand: Expression
    let line: Int
}

/// What follows an operand.
struct Suffix: Sendable {
    enum Kind: Sendable {
        case attribute(AttributeName)
        case item(Expression)
        case slice(start: Expression?, stop: Expression?, step: Expression?)
        case call(ArgumentList)
        case filter(FilterUse)
        case test(TestUse)
    }

    let kind: Kind
    let line: Int
}

/// A name after a dot, in the two forms in which it is looked up.
struct AttributeName: Sendable {
    let text: String
    let string: PythonString

    init(_ text: String) {
        self.text = text
        string = PythonString(text)
    }

    init(_ string: PythonString) {
        text = string.text
        self.string = string
    }
}

/// The arguments of a call, filter or test.
struct ArgumentList: Sendable {
    var positional: [Expression] = []
    var keywords: [(name: String, value: Expression)] = []
    /// `*arguments`
    var splat: Expression?
    /// `**arguments`
    var keywordSplat: Expression?
}

/// A filter with its arguments; the function is nil if there is none of this name and the use may never run.
struct FilterUse: Sendable {
    let name: String
    let function: Filter?
    let arguments: ArgumentList
}

/// A test with its arguments; the function is nil if there is none of this name and the use may never run.
struct TestUse: Sendable {
    let name: String
    let function: Test?
    let arguments: ArgumentList
    let isNegated: Bool
}

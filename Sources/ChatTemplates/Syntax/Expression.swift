/// An expression of a template.
indirect enum Expression: Sendable {
    case literal(Literal)
    case name(String)
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

/// An operator with its right operand.
struct Operation: Sendable {
    let symbol: BinaryOperator
    let operand: Expression
    let line: Int
}

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

extension BinaryOperator {
    /// The operator as it is written.
    var text: String {
        switch self {
        case .or: "or"
        case .and: "and"
        case .equal: "=="
        case .notEqual: "!="
        case .less: "<"
        case .lessOrEqual: "<="
        case .greater: ">"
        case .greaterOrEqual: ">="
        case .isIn: "in"
        case .isNotIn: "not in"
        case .add: "+"
        case .subtract: "-"
        case .concatenate: "~"
        case .multiply: "*"
        case .divide: "/"
        case .floorDivide: "//"
        case .remainder: "%"
        case .power: "**"
        }
    }
}

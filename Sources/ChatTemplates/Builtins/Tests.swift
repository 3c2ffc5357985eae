/// A test: whether `value is name(arguments)`.
typealias Test = @Sendable (Value, Arguments, Evaluator) throws(Failure) -> Bool

/// Jinja's tests.
enum Tests {
    static let all: [String: Test] = predicates.merging(comparisons) { first, _ in first }

    private static let predicates: [String: Test] = [
        "defined": simple { !$0.isUndefined },
        "undefined": simple(\.isUndefined),
        "none": simple { if case .none = $0 { true } else { false } },
        "boolean": simple { if case .bool = $0 { true } else { false } },
        "true": simple { if case .bool(true) = $0 { true } else { false } },
        "false": simple { if case .bool(false) = $0 { true } else { false } },
        "integer": simple { if case .integer = $0 { true } else { false } },
        "float": simple { if case .float = $0 { true } else { false } },
        "number": simple { $0.number != nil },
        "string": simple { if case .string = $0 { true } else { false } },
        "mapping": simple { if case .dictionary = $0 { true } else { false } },
        "sequence": simple(\.isSequence),
        "iterable": simple(\.isIterable),
        "callable": simple(\.isCallable),
        "escaped": simple { if case .string(let string) = $0 { string.isMarkup } else { false } },
        "upper": text(\.isUpper),
        "lower": text(\.isLower),
        "odd": { (value, arguments, evaluator) throws(Failure) in
            _ = try arguments.bind(to: "odd")
            return try remainder(value, .integer(2), evaluator, is: 1)
        },
        "even": { (value, arguments, evaluator) throws(Failure) in
            _ = try arguments.bind(to: "even")
            return try remainder(value, .integer(2), evaluator, is: 0)
        },
        "divisibleby": { (value, arguments, evaluator) throws(Failure) in
            let divisor = try arguments.bind("num", to: "divisibleby", required: 1)[0] ?? .none
            return try remainder(value, divisor, evaluator, is: 0)
        },
        "filter": { (value, arguments, evaluator) throws(Failure) in
            Filters.all[try name(value, evaluator)] != nil
        },
        "test": { (value, arguments, evaluator) throws(Failure) in all[try name(value, evaluator)] != nil },
    ]

    private static let comparisons: [String: Test] = [
        "eq": comparison(.equal), "equalto": comparison(.equal), "==": comparison(.equal),
        "ne": comparison(.notEqual), "!=": comparison(.notEqual),
        "lt": comparison(.less), "lessthan": comparison(.less), "<": comparison(.less),
        "le": comparison(.lessOrEqual), "<=": comparison(.lessOrEqual),
        "gt": comparison(.greater), "greaterthan": comparison(.greater), ">": comparison(.greater),
        "ge": comparison(.greaterOrEqual), ">=": comparison(.greaterOrEqual),
        "in": comparison(.isIn),
        "sameas": { (value, arguments, evaluator) throws(Failure) in
            let other = try arguments.bind("other", to: "sameas", required: 1)[0] ?? .none
            // Values have no identity here; those of one type that are equal count as the same.
            guard value.typeName == other.typeName else { return false }
            return try Comparison(fuel: evaluator.fuel).areEqual(value, other)
        },
    ]

    private static func simple(_ holds: @escaping @Sendable (Value) -> Bool) -> Test {
        { (value, arguments, _) throws(Failure) in
            _ = try arguments.bind(to: "this test")
            return holds(value)
        }
    }

    /// The name that a value spells.
    private static func name(_ value: Value, _ evaluator: Evaluator) throws(Failure) -> String {
        let text = try evaluator.text(value)
        try evaluator.fuel.charge(text.count)
        return text.text
    }

    private static func text(_ holds: @escaping @Sendable (PythonString) -> Bool) -> Test {
        { (value, arguments, evaluator) throws(Failure) in
            _ = try arguments.bind(to: "this test")
            let text = try evaluator.text(value)
            try evaluator.fuel.charge(propertiesOf: text)
            return holds(text)
        }
    }

    private static func comparison(_ symbol: BinaryOperator) -> Test {
        { (value, arguments, evaluator) throws(Failure) in
            let other = try arguments.bind("other", to: "this test", required: 1)[0] ?? .none
            return try Comparison(fuel: evaluator.fuel).holds(value, symbol, other)
        }
    }

    private static func remainder(
        _ value: Value, _ divisor: Value, _ evaluator: Evaluator, is expected: Int
    ) throws(Failure) -> Bool {
        let remainder = try Arithmetic(fuel: evaluator.fuel).apply(.remainder, value, divisor)
        return try Comparison(fuel: evaluator.fuel).areEqual(remainder, .integer(expected))
    }
}

extension Value {
    var isUndefined: Bool { if case .undefined = self { true } else { false } }

    /// Whether Python can index it and ask for its length.
    fileprivate var isSequence: Bool {
        switch self {
        case .undefined, .string, .dictionary: true
        case .sequence(let sequence): sequence.isIndexable
        default: false
        }
    }

    fileprivate var isIterable: Bool {
        switch self {
        case .undefined, .string, .dictionary, .sequence, .generator, .loop: true
        default: false
        }
    }

    fileprivate var isCallable: Bool {
        switch self {
        case .function, .loop, .undefined: true
        default: false
        }
    }
}

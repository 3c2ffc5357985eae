extension Filters {
    static let valueFilters: [String: Filter] = [
        "default": fallback, "d": fallback, "int": integer, "float": float, "abs": magnitude, "round": round,
        "attr": attribute,
    ]

    @Sendable private static func fallback(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        let values = try arguments.bind("default_value", "boolean", to: "default")
        let isMissing = value.isUndefined || (values[1].isTrue && !value.isTrue)
        return isMissing ? values[0] ?? .string("") : value
    }

    @Sendable private static func attribute(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        guard let name = try arguments.bind("name", to: "attr", required: 1)[0].string(of: "attr") else {
            throw Failure("attr expects a string")
        }
        // Unlike `value.name`, this does not look for an item.
        return try evaluator.ownAttribute(name, of: value) ?? .undefined(.attribute(name, of: value))
    }

    // MARK: Numbers

    @Sendable private static func integer(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        let values = try arguments.bind("default", "base", to: "int")
        let base = try values[1].integer(of: "int", default: 10)
        if case .undefined(let undefined) = value { throw undefined.failure }
        if let integer = value.integer { return .integer(integer) }
        if case .string(let string) = value {
            try evaluator.fuel.chargeForFloat()
            if let integer = try NumberText(string).integer(base: base) { return .integer(integer) }
        }
        guard let number = try number(value, evaluator), number.isFinite else { return values[0] ?? .integer(0) }
        guard let integer = Int(exactly: number.rounded(.towardZero)) else {
            throw Failure(.limit, "an integer does not fit 64 bits")
        }
        return .integer(integer)
    }

    @Sendable private static func float(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        let values = try arguments.bind("default", to: "float")
        if case .undefined(let undefined) = value { throw undefined.failure }
        return try number(value, evaluator).map(Value.float) ?? values[0] ?? .float(0)
    }

    /// Python's `float(value)`, nil where it raises an error.
    private static func number(_ value: Value, _ evaluator: Evaluator) throws(Failure) -> Double? {
        guard case .string(let string) = value else { return value.number }
        try evaluator.fuel.chargeForFloat()
        return NumberText(string).float
    }

    @Sendable private static func magnitude(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        _ = try arguments.bind(to: "abs")
        if case .float(let number) = value { return .float(number.magnitude) }
        guard let integer = value.integer else { throw Failure("bad operand type for abs(): '\(value.typeName)'") }
        guard let magnitude = Int(exactly: integer.magnitude) else {
            throw Failure(.limit, "an integer does not fit 64 bits")
        }
        return .integer(magnitude)
    }

    @Sendable private static func round(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        let values = try arguments.bind("precision", "method", to: "round")
        let precision = try values[0].integer(of: "round", default: 0)
        let method = try values[1].string(of: "round") ?? "common"
        if case .undefined(let undefined) = value { throw undefined.failure }
        guard let number = value.number else { throw Failure("round expects a number, not '\(value.typeName)'") }
        try evaluator.fuel.chargeForFormatting()
        switch method {
        case "common":
            let rounded =
                value.integer.map { Rounding.round($0, precision: precision).map(Value.integer) }
                ?? Rounding.round(number, precision: precision).map(Value.float)
            guard let rounded else { throw Failure("cannot round to \(precision) digits") }
            return rounded
        case "ceil", "floor":
            let scale = Rounding.power(of: 10, precision)
            let scaled = (number * scale).rounded(method == "ceil" ? .up : .down)
            guard scaled.isFinite, scale != 0 else { throw Failure("cannot round to \(precision) digits") }
            return .float(scaled / scale)
        default: throw Failure("method must be common, ceil or floor")
        }
    }
}

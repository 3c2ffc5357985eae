internal import ModelFiles
internal import OrderedCollections

extension Evaluator {
    /// The value of an expression.
    func evaluate(_ expression: Expression) throws(Failure) -> Value {
        switch expression {
        case .literal(let literal): return value(of: literal)
        case .name(let name): return scope[name] ?? .undefined(.variable(name))
        default: break
        }
        try fuel.enter()
        defer { fuel.leave() }
        return try evaluateNested(expression)
    }

    private func evaluateNested(_ expression: Expression) throws(Failure) -> Value {
        switch expression {
        case .literal(let literal): value(of: literal)
        case .name(let name): scope[name] ?? .undefined(.variable(name))
        case .tuple(let elements): try .tuple(try evaluate(elements), fuel)
        case .list(let elements): try .list(try evaluate(elements), fuel)
        case .dictionary(let entries): try evaluate(entries)
        case .prefixed(let symbol, let operand, let line): try evaluate(symbol, operand, line: line)
        case .operators(let first, let operations): try evaluate(first, operations)
        case .suffixed(let base, let suffixes): try apply(suffixes, to: try evaluate(base))
        case .conditional(let condition, let then, let otherwise):
            try evaluate(condition: condition, then: then, otherwise: otherwise)
        }
    }

    private func value(of literal: Literal) -> Value {
        switch literal {
        case .none: .none
        case .bool(let value): .bool(value)
        case .integer(let value): .integer(value)
        case .float(let value): .float(value)
        case .string(let value): .string(value)
        }
    }

    func evaluate(_ expressions: [Expression]) throws(Failure) -> [Value] {
        try fuel.charge(elements: expressions.count)
        var values: [Value] = []
        for expression in expressions { values.append(try evaluate(expression)) }
        return values
    }

    private func evaluate(_ entries: [DictionaryEntry]) throws(Failure) -> Value {
        var members: OrderedDictionary<DictionaryKey, Value> = [:]
        for entry in entries {
            let key = try DictionaryKey(try evaluate(entry.key), fuel: fuel)
            members[key] = try evaluate(entry.value)
        }
        return .dictionary(try PythonDictionary(members, fuel))
    }

    private func evaluate(
        condition: Expression, then: Expression, otherwise: Expression?
    ) throws(Failure) -> Value {
        try fuel.step()
        if try evaluate(condition).isTrue { return try evaluate(then) }
        if let otherwise { return try evaluate(otherwise) }
        return .undefined(.hint("the inline if-expression evaluated to false and no else section was defined"))
    }

    // MARK: Operators

    private func evaluate(_ symbol: PrefixOperator, _ operand: Expression, line: Int) throws(Failure) -> Value {
        try fuel.step()
        let value = try evaluate(operand)
        self.line = line
        switch symbol {
        case .not: return .bool(!value.isTrue)
        case .minus: return try Arithmetic(fuel: fuel).negate(value)
        case .plus: return try Arithmetic(fuel: fuel).plus(value)
        }
    }

    private func evaluate(_ first: Expression, _ operations: [Operation]) throws(Failure) -> Value {
        let value = try evaluate(first)
        switch operations.first?.symbol.precedence {
        case .or, .and: return try evaluateLogic(value, operations)
        case .comparison: return try compare(value, operations)
        case .concatenation: return try concatenate(value, operations)
        default: return try calculate(value, operations)
        }
    }

    /// `or` and `and`: the first operand that decides.
    private func evaluateLogic(_ first: Value, _ operations: [Operation]) throws(Failure) -> Value {
        var value = first
        for operation in operations {
            try fuel.step()
            if value.isTrue == (operation.symbol == .or) { return value }
            value = try evaluate(operation.operand)
        }
        return value
    }

    /// `a < b < c`: each comparison with the operand before it, up to the first that fails.
    private func compare(_ first: Value, _ operations: [Operation]) throws(Failure) -> Value {
        let comparison = Comparison(fuel: fuel)
        var left = first
        for operation in operations {
            try fuel.step()
            let right = try evaluate(operation.operand)
            line = operation.line
            guard try comparison.holds(left, operation.symbol, right) else { return .bool(false) }
            left = right
        }
        return .bool(true)
    }

    private func concatenate(_ first: Value, _ operations: [Operation]) throws(Failure) -> Value {
        var scalars = try text(first).scalars
        try fuel.charge(scalars.count)
        for operation in operations {
            try fuel.step()
            let right = try text(try evaluate(operation.operand)).scalars
            try fuel.charge(right.count)
            scalars += right
        }
        return .string(scalars)
    }

    private func calculate(_ first: Value, _ operations: [Operation]) throws(Failure) -> Value {
        let arithmetic = Arithmetic(fuel: fuel)
        var value = first
        for operation in operations {
            try fuel.step()
            let right = try evaluate(operation.operand)
            line = operation.line
            value = try arithmetic.apply(operation.symbol, value, right)
        }
        return value
    }

    // MARK: Suffixes

    /// Applies attributes, subscripts, calls, filters and tests from left to right.
    func apply(_ suffixes: [Suffix], to first: Value) throws(Failure) -> Value {
        var value = first
        for suffix in suffixes {
            try fuel.step()
            value = try apply(suffix, to: value)
        }
        return value
    }

    private func apply(_ suffix: Suffix, to value: Value) throws(Failure) -> Value {
        switch suffix.kind {
        case .attribute(let name):
            line = suffix.line
            return try attribute(name, of: value)
        case .item(let index):
            let key = try evaluate(index)
            line = suffix.line
            return try item(key, of: value)
        case .slice(let start, let stop, let step):
            return try slice(value, start, stop, step, line: suffix.line)
        case .call(let list):
            let arguments = try evaluate(list)
            line = suffix.line
            return try call(value, arguments)
        case .filter(let use): return try apply(use, to: value, line: suffix.line)
        case .test(let use): return try apply(use, to: value, line: suffix.line)
        }
    }

    private func slice(
        _ value: Value, _ start: Expression?, _ stop: Expression?, _ step: Expression?, line: Int
    ) throws(Failure) -> Value {
        let bounds = (
            start: try start.map { (bound) throws(Failure) in try evaluate(bound) },
            stop: try stop.map { (bound) throws(Failure) in try evaluate(bound) },
            step: try step.map { (bound) throws(Failure) in try evaluate(bound) }
        )
        self.line = line
        return try Slice(start: bounds.start, stop: bounds.stop, step: bounds.step).apply(to: value, fuel: fuel)
    }

    private func apply(_ use: FilterUse, to value: Value, line: Int) throws(Failure) -> Value {
        let arguments = try evaluate(use.arguments)
        self.line = line
        guard let function = use.function else { throw Failure("no filter named \(use.name.quotedForMessage)") }
        return try function(value, arguments, self)
    }

    private func apply(_ use: TestUse, to value: Value, line: Int) throws(Failure) -> Value {
        let arguments = try evaluate(use.arguments)
        self.line = line
        guard let function = use.function else { throw Failure("no test named \(use.name.quotedForMessage)") }
        return .bool(try function(value, arguments, self) != use.isNegated)
    }
}

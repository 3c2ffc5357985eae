#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Python's arithmetic operators; integers have 64 bits and an overflow is an error.
struct Arithmetic {
    let fuel: Fuel

    func apply(_ symbol: BinaryOperator, _ left: Value, _ right: Value) throws(Failure) -> Value {
        if case .undefined(let undefined) = left { throw undefined.failure }
        if symbol == .remainder, case .string(let format) = left {
            return .string(try PercentFormat(fuel: fuel).format(format, right))
        }
        if case .undefined(let undefined) = right { throw undefined.failure }
        if let left = left.integer, let right = right.integer { return try integers(symbol, left, right) }
        if let left = left.number, let right = right.number { return .float(try floats(symbol, left, right)) }
        switch (symbol, left, right) {
        case (.add, .string(let left), .string(let right)): return .string(try join(left, right))
        case (.add, .sequence(let left), .sequence(let right)) where left.kind == right.kind && left.canGrow:
            try fuel.charge(elements: left.elements.count + right.elements.count)
            return .sequence(try PythonSequence(left.kind, left.elements + right.elements, fuel))
        case (.multiply, _, _): return try repeated(left, right)
        default: throw unsupported(symbol, left, right)
        }
    }

    func negate(_ value: Value) throws(Failure) -> Value {
        if case .float(let number) = value { return .float(-number) }
        return try apply(.subtract, .integer(0), value)
    }

    func plus(_ value: Value) throws(Failure) -> Value {
        if case .float = value { return value }
        return try apply(.add, .integer(0), value)
    }

    // MARK: Numbers

    private func integers(_ symbol: BinaryOperator, _ left: Int, _ right: Int) throws(Failure) -> Value {
        switch symbol {
        case .add: return .integer(try checked(left.addingReportingOverflow(right)))
        case .subtract: return .integer(try checked(left.subtractingReportingOverflow(right)))
        case .multiply: return .integer(try checked(left.multipliedReportingOverflow(by: right)))
        case .divide:
            guard right != 0 else { throw Failure("division by zero") }
            return .float(Double(left) / Double(right))
        case .floorDivide, .remainder:
            guard right != 0 else { throw Failure("integer division or modulo by zero") }
            let quotient = try checked(left.dividedReportingOverflow(by: right))
            let remainder = left - quotient * right
            // Swift rounds towards zero, Python down.
            let isRoundedUp = remainder != 0 && (remainder < 0) != (right < 0)
            if symbol == .floorDivide { return .integer(isRoundedUp ? quotient - 1 : quotient) }
            return .integer(isRoundedUp ? remainder + right : remainder)
        case .power:
            guard right >= 0 else { return .float(try floats(.power, Double(left), Double(right))) }
            return .integer(try power(left, right))
        default: throw unsupported(symbol, .integer(left), .integer(right))
        }
    }

    private func checked(_ result: (partialValue: Int, overflow: Bool)) throws(Failure) -> Int {
        guard !result.overflow else { throw Failure(.limit, "an integer does not fit 64 bits") }
        return result.partialValue
    }

    /// Square and multiply.
    private func power(_ base: Int, _ exponent: Int) throws(Failure) -> Int {
        var result = 1
        var base = base
        var exponent = exponent
        while exponent > 0 {
            if exponent & 1 == 1 { result = try checked(result.multipliedReportingOverflow(by: base)) }
            exponent >>= 1
            if exponent > 0 { base = try checked(base.multipliedReportingOverflow(by: base)) }
        }
        return result
    }

    private func floats(_ symbol: BinaryOperator, _ left: Double, _ right: Double) throws(Failure) -> Double {
        switch symbol {
        case .add: return left + right
        case .subtract: return left - right
        case .multiply: return left * right
        case .divide:
            guard right != 0 else { throw Failure("float division by zero") }
            return left / right
        case .floorDivide:
            guard right != 0 else { throw Failure("float floor division by zero") }
            return floorDivide(left, right)
        case .remainder:
            guard right != 0 else { throw Failure("float modulo") }
            return remainder(left, right)
        case .power:
            guard left != 0 || right >= 0 else { throw Failure("0.0 cannot be raised to a negative power") }
            guard left >= 0 || !right.isFinite || right.rounded() == right else {
                throw Failure("complex numbers are not supported")
            }
            let result = pow(left, right)
            guard result.isFinite || !left.isFinite || !right.isFinite else {
                throw Failure("the result of '**' is too large")
            }
            return result
        default: throw unsupported(symbol, .float(left), .float(right))
        }
    }

    /// The remainder with the sign of the divisor.
    private func remainder(_ left: Double, _ right: Double) -> Double {
        let remainder = left.truncatingRemainder(dividingBy: right)
        if remainder == 0 { return Double(signOf: right, magnitudeOf: 0) }
        return (remainder < 0) != (right < 0) ? remainder + right : remainder
    }

    private func floorDivide(_ left: Double, _ right: Double) -> Double {
        let quotient = (left - remainder(left, right)) / right
        if quotient == 0 { return Double(signOf: left / right, magnitudeOf: 0) }
        let floor = quotient.rounded(.down)
        return quotient - floor > 0.5 ? floor + 1 : floor
    }

    // MARK: Strings and lists

    private func join(_ left: PythonString, _ right: PythonString) throws(Failure) -> PythonString {
        let isMarkup = left.isMarkup || right.isMarkup
        let left = isMarkup ? try left.escaped(fuel: fuel) : left
        let right = isMarkup ? try right.escaped(fuel: fuel) : right
        try fuel.charge(left.count + right.count)
        return PythonString(left.scalars + right.scalars, isMarkup: isMarkup)
    }

    private func repeated(_ left: Value, _ right: Value) throws(Failure) -> Value {
        guard let count = left.integer ?? right.integer else { throw unsupported(.multiply, left, right) }
        switch left.integer == nil ? left : right {
        case .string(let string):
            try fuel.charge(try total(string.count, count))
            return .string(string.with(repeated(string.scalars, count)))
        case .sequence(let sequence) where sequence.canGrow:
            try fuel.charge(elements: try total(sequence.elements.count, count))
            return .sequence(try PythonSequence(sequence.kind, repeated(sequence.elements, count), fuel))
        default: throw unsupported(.multiply, left, right)
        }
    }

    private func total(_ length: Int, _ count: Int) throws(Failure) -> Int {
        let (total, overflow) = length.multipliedReportingOverflow(by: max(count, 0))
        return overflow ? Int.max : total
    }

    private func repeated<Element>(_ elements: [Element], _ count: Int) -> [Element] {
        guard !elements.isEmpty, count > 0 else { return [] }
        var result: [Element] = []
        result.reserveCapacity(elements.count * count)
        for _ in 0..<count { result += elements }
        return result
    }

    private func unsupported(_ symbol: BinaryOperator, _ left: Value, _ right: Value) -> Failure {
        if symbol == .add, case .string = left {
            return Failure("can only concatenate str (not \"\(right.typeName)\") to str")
        }
        if symbol == .add, case .sequence(let sequence) = left, sequence.canGrow {
            return Failure(
                "can only concatenate \(left.typeName) (not \"\(right.typeName)\") to \(left.typeName)")
        }
        return Failure(
            "unsupported operand type(s) for \(symbol.text): '\(left.typeName)' and '\(right.typeName)'")
    }
}

extension PythonSequence {
    /// Whether `+` and `*` work.
    fileprivate var canGrow: Bool { kind == .list || kind == .tuple }
}

extension Parser {
    /// Parses an expression, with or without `a if b else c`.
    mutating func parseExpression(allowsConditional: Bool = true) throws(TemplateError) -> Expression {
        try nested { (parser) throws(TemplateError) in
            let expression = try parser.parseOperators(.or)
            guard allowsConditional, parser.skip(name: "if") else { return expression }
            parser.branchDepth += 1
            defer { parser.branchDepth -= 1 }
            let condition = try parser.parseOperators(.or)
            let otherwise = parser.skip(name: "else") ? try parser.parseExpression() : nil
            return .conditional(condition: condition, then: expression, otherwise: otherwise)
        }
    }

    /// Parses an expression, or several separated by commas, which make a tuple.
    mutating func parseTuple(
        allowsConditional: Bool = true, endName: String? = nil
    ) throws(TemplateError) -> Expression {
        let first = try parseExpression(allowsConditional: allowsConditional)
        guard isAt(.comma) else { return first }
        var elements = [first]
        while skip(.comma), !isAtTupleEnd(endName) {
            elements.append(try parseExpression(allowsConditional: allowsConditional))
        }
        return .tuple(elements)
    }

    private func isAtTupleEnd(_ endName: String?) -> Bool {
        switch current.kind {
        case .variableEnd, .blockEnd, .symbol(.closeParenthesis): true
        case .name(let name): name == endName
        default: false
        }
    }

    // MARK: Operators

    /// Parses operators that bind at least as tight as `minimum`, by precedence climbing.
    private mutating func parseOperators(_ minimum: BinaryOperator.Precedence) throws(TemplateError) -> Expression {
        var left = try parseOperand(minimum)
        while let next = currentOperator, next.precedence >= minimum {
            let precedence = next.precedence
            var operations: [Operation] = []
            while let symbol = currentOperator, symbol.precedence == precedence {
                let line = advance().line
                if symbol == .isNotIn { advance() }
                operations.append(
                    Operation(symbol: symbol, operand: try parseOperators(precedence.next), line: line))
            }
            left = .operators(left, operations)
        }
        return left
    }

    private mutating func parseOperand(_ minimum: BinaryOperator.Precedence) throws(TemplateError) -> Expression {
        guard minimum <= .not, isAt(name: "not") else { return try parseUnary(allowsFilters: true) }
        let line = advance().line
        return try nested { (parser) throws(TemplateError) in
            .prefixed(.not, try parser.parseOperators(.not), line: line)
        }
    }

    private var currentOperator: BinaryOperator? {
        switch current.kind {
        case .symbol(let symbol): Self.operators[symbol]
        case .name("or"): .or
        case .name("and"): .and
        case .name("in"): .isIn
        case .name("not") where following.kind == .name("in"): .isNotIn
        default: nil
        }
    }

    private static let operators: [Symbol: BinaryOperator] = [
        .equal: .equal, .notEqual: .notEqual, .less: .less, .lessOrEqual: .lessOrEqual, .greater: .greater,
        .greaterOrEqual: .greaterOrEqual, .add: .add, .subtract: .subtract, .tilde: .concatenate,
        .multiply: .multiply, .divide: .divide, .floorDivide: .floorDivide, .remainder: .remainder, .power: .power,
    ]

    private mutating func parseUnary(allowsFilters: Bool) throws(TemplateError) -> Expression {
        var expression: Expression
        if isAt(.subtract) || isAt(.add) {
            let symbol: PrefixOperator = isAt(.subtract) ? .minus : .plus
            let line = advance().line
            expression = try nested { (parser) throws(TemplateError) in
                .prefixed(symbol, try parser.parseUnary(allowsFilters: false), line: line)
            }
        } else {
            expression = try parsePrimary()
        }
        let suffixes = try parseSuffixes() + (allowsFilters ? parseFiltersAndTests() : [])
        return suffixes.isEmpty ? expression : .suffixed(expression, suffixes)
    }

    // MARK: Operands

    /// Parses a name, a constant, or something in brackets.
    mutating func parsePrimary() throws(TemplateError) -> Expression {
        switch current.kind {
        case .name(let name): return try parseName(name)
        case .string(var scalars):
            advance()
            while case .string(let more) = current.kind {
                scalars += more
                advance()
            }
            return .literal(.string(PythonString(scalars)))
        case .integer(let value):
            advance()
            return .literal(.integer(value))
        case .float(let value):
            advance()
            return .literal(.float(value))
        case .symbol(.openParenthesis):
            advance()
            if skip(.closeParenthesis) { return .tuple([]) }
            let expression = try parseTuple()
            try expect(.closeParenthesis)
            return expression
        case .symbol(.openBracket): return .list(try parseElements())
        case .symbol(.openBrace): return .dictionary(try parseEntries())
        default: throw unexpected(expected: "an expression")
        }
    }

    private mutating func parseName(_ name: String) throws(TemplateError) -> Expression {
        switch name {
        case "true", "True", "false", "False":
            advance()
            return .literal(.bool(name.lowercased() == "true"))
        case "none", "None":
            advance()
            return .literal(.none)
        case "or", "and", "not", "in", "is", "if", "else", "elif":
            throw unexpected(expected: "an expression")
        default:
            for index in specialNames.indices where MacroDefinition.allSpecialNames.contains(name) {
                specialNames[index].insert(name)
            }
            advance()
            return .name(name)
        }
    }

    private mutating func parseElements() throws(TemplateError) -> [Expression] {
        var elements: [Expression] = []
        try expect(.openBracket)
        while !isAt(.closeBracket) {
            elements.append(try parseExpression())
            if !skip(.comma) { break }
        }
        try expect(.closeBracket)
        return elements
    }

    private mutating func parseEntries() throws(TemplateError) -> [DictionaryEntry] {
        var entries: [DictionaryEntry] = []
        try expect(.openBrace)
        while !isAt(.closeBrace) {
            let key = try parseExpression()
            try expect(.colon)
            entries.append(DictionaryEntry(key: key, value: try parseExpression()))
            if !skip(.comma) { break }
        }
        try expect(.closeBrace)
        return entries
    }
}

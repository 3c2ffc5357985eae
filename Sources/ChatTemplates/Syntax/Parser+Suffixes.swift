internal import ModelFiles

extension Parser {
    /// Parses attributes, subscripts and calls.
    mutating func parseSuffixes() throws(TemplateError) -> [Suffix] {
        var suffixes: [Suffix] = []
        while case .symbol(let symbol) = current.kind {
            let line = current.line
            switch symbol {
            case .dot: suffixes.append(Suffix(kind: try parseAttribute(), line: line))
            case .openBracket: suffixes.append(Suffix(kind: try parseSubscript(), line: line))
            case .openParenthesis: suffixes.append(Suffix(kind: .call(try parseArguments()), line: line))
            default: return suffixes
            }
        }
        return suffixes
    }

    /// Parses filters and tests, and calls of what they return.
    mutating func parseFiltersAndTests() throws(TemplateError) -> [Suffix] {
        var suffixes: [Suffix] = []
        while true {
            let line = current.line
            if skip(.pipe) {
                suffixes.append(try parseFilter())
            } else if skip(name: "is") {
                suffixes.append(Suffix(kind: .test(try parseTest()), line: line))
            } else if isAt(.openParenthesis) {
                suffixes.append(Suffix(kind: .call(try parseArguments()), line: line))
            } else {
                return suffixes
            }
        }
    }

    private mutating func parseAttribute() throws(TemplateError) -> Suffix.Kind {
        try expect(.dot)
        switch current.kind {
        case .name(let name):
            advance()
            return .attribute(AttributeName(name))
        case .integer(let index):
            advance()
            return .item(.literal(.integer(index)))
        default: throw unexpected(expected: "a name or an index after '.'")
        }
    }

    private mutating func parseSubscript() throws(TemplateError) -> Suffix.Kind {
        try expect(.openBracket)
        let start = isAt(.colon) ? nil : try parseExpression()
        if let start, !isAt(.colon) {
            guard isAt(.comma) else {
                try expect(.closeBracket)
                return .item(start)
            }
            var elements = [start]
            while skip(.comma), !isAt(.closeBracket) { elements.append(try parseExpression()) }
            try expect(.closeBracket)
            return .item(.tuple(elements))
        }
        try expect(.colon)
        let stop = isAt(.colon) || isAt(.closeBracket) ? nil : try parseExpression()
        let step = skip(.colon) && !isAt(.closeBracket) ? try parseExpression() : nil
        try expect(.closeBracket)
        return .slice(start: start, stop: stop, step: step)
    }

    /// Parses arguments in parentheses.
    mutating func parseArguments() throws(TemplateError) -> ArgumentList {
        try expect(.openParenthesis)
        var list = ArgumentList()
        while !isAt(.closeParenthesis) {
            try parseArgument(into: &list)
            if !skip(.comma) { break }
        }
        try expect(.closeParenthesis)
        return list
    }

    private mutating func parseArgument(into list: inout ArgumentList) throws(TemplateError) {
        guard list.keywordSplat == nil else { throw error("no argument can follow '**'") }
        if skip(.power) {
            list.keywordSplat = try parseExpression()
        } else if skip(.multiply) {
            guard list.splat == nil else { throw error("a call can have one '*' argument") }
            list.splat = try parseExpression()
        } else if case .name(let name) = current.kind, following.kind == .symbol(.assign) {
            advance()
            advance()
            guard !list.keywords.contains(where: { $0.name == name }) else {
                throw error("the argument \(name.quotedForMessage) is given twice")
            }
            guard list.keywords.count < Self.parameterCount else {
                throw error("a call has more than \(Self.parameterCount) named arguments")
            }
            list.keywords.append((name, try parseExpression()))
        } else {
            guard list.keywords.isEmpty, list.splat == nil else {
                throw error("a positional argument follows a named one")
            }
            list.positional.append(try parseExpression())
        }
    }

    /// Parses the name and the arguments of a filter.
    mutating func parseFilter() throws(TemplateError) -> Suffix {
        let line = current.line
        let name = try expectName("the name of a filter")
        let function = Filters.all[name]
        // As in Jinja, a filter that does not exist is an error at once only where it is sure to run.
        guard function != nil || branchDepth > 0 else {
            throw error("no filter named \(name.quotedForMessage)", line: line)
        }
        let arguments = isAt(.openParenthesis) ? try parseArguments() : ArgumentList()
        return Suffix(kind: .filter(FilterUse(name: name, function: function, arguments: arguments)), line: line)
    }

    private mutating func parseTest() throws(TemplateError) -> TestUse {
        let isNegated = skip(name: "not")
        let line = current.line
        let name = try expectName("the name of a test")
        let function = Tests.all[name]
        guard function != nil || branchDepth > 0 else {
            throw error("no test named \(name.quotedForMessage)", line: line)
        }
        return TestUse(name: name, function: function, arguments: try parseTestArguments(), isNegated: isNegated)
    }

    /// Parses `(a, b)`, or one operand without parentheses as in `is divisibleby 3`.
    private mutating func parseTestArguments() throws(TemplateError) -> ArgumentList {
        switch current.kind {
        case .symbol(.openParenthesis): return try parseArguments()
        case .name("else"), .name("or"), .name("and"): return ArgumentList()
        case .name("is"): throw error("tests cannot be chained with 'is'")
        case .name("if"), .name("in"), .name("not"): return ArgumentList()
        case .name, .string, .integer, .float, .symbol(.openBracket), .symbol(.openBrace):
            let operand = try nested { (parser) throws(TemplateError) in
                let operand = try parser.parsePrimary()
                let suffixes = try parser.parseSuffixes()
                return suffixes.isEmpty ? operand : .suffixed(operand, suffixes)
            }
            return ArgumentList(positional: [operand])
        default: return ArgumentList()
        }
    }
}

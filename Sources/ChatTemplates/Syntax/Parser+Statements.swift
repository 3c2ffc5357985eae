internal import ModelFiles

extension Parser {
    /// Parses statements up to a tag with one of these names, which is not passed, or to the end of the template.
    ///
    /// - Parameters:
    ///   - endNames: the names; none for the whole template.
    ///   - block: the name of the block, for the error if it is never closed.
    ///   - line: the line of its tag.
    mutating func parseBody(
        endingWith endNames: [String], of block: String, line: Int
    ) throws(TemplateError) -> [Statement] {
        try nested { (parser) throws(TemplateError) in
            var statements: [Statement] = []
            while true {
                switch parser.current.kind {
                case .data(let scalars):
                    parser.advance()
                    statements.append(.text(scalars))
                case .variableBegin:
                    parser.advance()
                    statements.append(.output(try parser.parseTuple()))
                    try parser.expect(.variableEnd)
                case .blockBegin:
                    parser.advance()
                    let name = try parser.expectName("the name of a tag")
                    if endNames.contains(name) { return statements }
                    statements.append(try parser.parseStatement(name))
                    try parser.expect(.blockEnd)
                default:
                    guard endNames.isEmpty else {
                        throw parser.error("the block '\(block)' is never closed", line: line)
                    }
                    return statements
                }
            }
        }
    }

    /// Parses the body of a block from the end of its first tag to the name of its last, which has only one form.
    private mutating func parseBody(of block: String) throws(TemplateError) -> [Statement] {
        try parseBody(of: block, endNames: ["end" + block]).body
    }

    /// Parses a part of a block; returns it with the name of the tag after it.
    private mutating func parseBody(
        of block: String, endNames: [String]
    ) throws(TemplateError) -> (body: [Statement], endName: String) {
        let line = previous.line
        _ = skip(.colon)
        try expect(.blockEnd)
        let body = try parseBody(endingWith: endNames, of: block, line: line)
        guard case .name(let endName) = previous.kind else { return (body, "") }
        return (body, endName)
    }

    private mutating func parseStatement(_ name: String) throws(TemplateError) -> Statement {
        let line = previous.line
        switch name {
        case "if": return try parseIf()
        case "for": return try parseFor(line: line)
        case "set": return try parseSet(line: line)
        case "macro": return try parseMacro()
        case "call": return try parseCall()
        case "with": return try parseWith()
        case "filter":
            var filters = [try parseFilter()]
            while skip(.pipe) { filters.append(try parseFilter()) }
            return .filter(filters, body: try parseBody(of: "filter"))
        case "generation": return .generation(try parseBody(of: "generation"))
        case "break", "continue":
            guard loopDepth > 0 else { throw error("'\(name)' outside of a loop", line: line) }
            return name == "break" ? .leaveLoop : .nextIteration
        case "include", "import", "from", "extends", "block", "autoescape", "print":
            throw error("the tag '\(name)' is not supported in chat templates", line: line)
        default: throw error("unknown tag \(name.quotedForMessage)", line: line)
        }
    }

    // MARK: Conditions and loops

    private mutating func parseIf() throws(TemplateError) -> Statement {
        branchDepth += 1
        defer { branchDepth -= 1 }
        var branches: [Branch] = []
        while true {
            let condition = try parseTuple(allowsConditional: false)
            let (body, endName) = try parseBody(of: "if", endNames: ["elif", "else", "endif"])
            branches.append(Branch(condition: condition, body: body))
            switch endName {
            case "elif": continue
            case "else": return .conditional(branches, otherwise: try parseBody(of: "if"))
            default: return .conditional(branches, otherwise: [])
            }
        }
    }

    private mutating func parseFor(line: Int) throws(TemplateError) -> Statement {
        let target = try parseTarget(endName: "in")
        guard skip(name: "in") else { throw unexpected(expected: "'in'") }
        let iterable = try parseTuple(allowsConditional: false, endName: "recursive")
        let filter = skip(name: "if") ? try parseExpression() : nil
        let isRecursive = skip(name: "recursive")
        loopDepth += 1
        let (body, endName) = try parseBody(of: "for", endNames: ["endfor", "else"])
        loopDepth -= 1
        let otherwise = endName == "else" ? try parseBody(of: "for") : []
        return .loop(
            ForLoop(
                target: target, iterable: iterable, filter: filter, isRecursive: isRecursive, body: body,
                otherwise: otherwise, line: line))
    }

    // MARK: Assignments

    private mutating func parseSet(line: Int) throws(TemplateError) -> Statement {
        let target = try parseTarget(allowsAttributes: true)
        if skip(.assign) { return .set(target, try parseTuple(), line: line) }
        var filters: [Suffix] = []
        while skip(.pipe) { filters.append(try parseFilter()) }
        return .setBlock(target, filters: filters, body: try parseBody(of: "set"), line: line)
    }

    /// Parses `a`, `a, b`, `(a, b)`, and `a.b` if attributes are allowed.
    private mutating func parseTarget(
        allowsAttributes: Bool = false, endName: String? = nil
    ) throws(TemplateError) -> Target {
        var targets = [try parseSingleTarget(allowsAttributes: allowsAttributes)]
        guard isAt(.comma) else { return targets[0] }
        while skip(.comma) {
            guard case .name(let name) = current.kind, name != endName else {
                if isAt(.openParenthesis) {
                    targets.append(try parseSingleTarget(allowsAttributes: allowsAttributes))
                    continue
                }
                break
            }
            targets.append(try parseSingleTarget(allowsAttributes: allowsAttributes))
        }
        return .tuple(targets)
    }

    private mutating func parseSingleTarget(allowsAttributes: Bool) throws(TemplateError) -> Target {
        if skip(.openParenthesis) {
            return try nested { (parser) throws(TemplateError) in
                let target = try parser.parseTarget(allowsAttributes: allowsAttributes)
                try parser.expect(.closeParenthesis)
                return target
            }
        }
        let name = try expectName("the name of a variable")
        guard !Self.reservedNames.contains(name) else {
            throw error("'\(name)' cannot be assigned to", line: previous.line)
        }
        guard allowsAttributes, skip(.dot) else { return .name(name) }
        return .attribute(namespace: name, name: PythonString(try expectName("the name of an attribute")))
    }

    private static let reservedNames: Set<String> = [
        "true", "false", "none", "True", "False", "None", "and", "or", "not", "in", "is", "if", "else", "elif",
    ]

    private mutating func parseWith() throws(TemplateError) -> Statement {
        var assignments: [(target: Target, value: Expression, line: Int)] = []
        while current.kind != .blockEnd {
            if !assignments.isEmpty { try expect(.comma) }
            let line = current.line
            let target = try parseSingleTarget(allowsAttributes: false)
            try expect(.assign)
            assignments.append((target, try parseExpression(), line))
        }
        return .with(assignments, body: try parseBody(of: "with"))
    }

    // MARK: Macros

    private mutating func parseMacro() throws(TemplateError) -> Statement {
        let name = try expectName("the name of the macro")
        return .macro(try parseMacro(named: name, parameters: try parseParameters(), block: "macro"))
    }

    private mutating func parseCall() throws(TemplateError) -> Statement {
        let parameters = isAt(.openParenthesis) ? try parseParameters() : []
        let line = current.line
        guard case .suffixed(let callee, let suffixes) = try parseExpression(), let call = suffixes.last,
            case .call = call.kind
        else { throw error("the tag 'call' expects a call", line: line) }
        let body = try parseMacro(named: "caller", parameters: parameters, block: "call")
        return .call(.suffixed(callee, suffixes.dropLast()), call, body: body)
    }

    private mutating func parseMacro(
        named name: String, parameters: [MacroDefinition.Parameter], block: String
    ) throws(TemplateError) -> MacroDefinition {
        let outerLoopDepth = loopDepth
        loopDepth = 0
        specialNames.append([])
        let body = try parseBody(of: block)
        loopDepth = outerLoopDepth
        return MacroDefinition(
            name: name, parameters: parameters, body: body, specialNames: specialNames.removeLast())
    }

    private mutating func parseParameters() throws(TemplateError) -> [MacroDefinition.Parameter] {
        try expect(.openParenthesis)
        var parameters: [MacroDefinition.Parameter] = []
        while !isAt(.closeParenthesis) {
            let name = try expectName("the name of a parameter")
            guard !parameters.contains(where: { $0.name == name }) else {
                throw error("the parameter \(name.quotedForMessage) is named twice", line: previous.line)
            }
            let fallback = skip(.assign) ? try parseExpression() : nil
            guard fallback != nil || parameters.last?.fallback == nil else {
                throw error("a parameter without default follows one with default", line: previous.line)
            }
            guard parameters.count < Self.parameterCount else {
                throw error("a macro has more than \(Self.parameterCount) parameters", line: previous.line)
            }
            parameters.append(MacroDefinition.Parameter(name: name, fallback: fallback))
            if !skip(.comma) { break }
        }
        try expect(.closeParenthesis)
        return parameters
    }
}

/// A recursive-descent parser; its recursion is bounded by ``TemplateLimits/syntaxDepth``.
struct Parser {
    /// The most parameters of a macro and named arguments of a call.
    static let parameterCount = 255

    private let template: String
    private let tokens: [Token]
    private var position = 0
    private var depth = 0
    /// Loops around the statement being parsed, in the same macro.
    var loopDepth = 0
    /// Branches around the statement being parsed: what stands in one may never run.
    var branchDepth = 0
    /// For each macro around the statement being parsed, the special names that its body reads.
    var specialNames: [Set<String>] = []

    /// The statements of a template.
    static func parse(_ source: String, template: String) throws(TemplateError) -> [Statement] {
        guard source.utf8.count <= TemplateLimits.sourceBytes else {
            throw TemplateError(
                code: .limit, template: template, line: 1,
                message: "the template has \(source.utf8.count) bytes, more than \(TemplateLimits.sourceBytes)")
        }
        var parser = Parser(template: template, tokens: try Lexer.tokens(of: source, template: template))
        return try parser.parseBody(endingWith: [], of: "template", line: 1)
    }

    private init(template: String, tokens: [Token]) {
        self.template = template
        self.tokens = tokens
    }

    var current: Token { tokens[position] }

    /// The token before the current one.
    var previous: Token { tokens[max(position - 1, 0)] }

    /// The token after the current one.
    var following: Token { tokens[min(position + 1, tokens.count - 1)] }

    /// Passes the current token; the end of the template is never passed.
    @discardableResult
    mutating func advance() -> Token {
        let token = current
        if position + 1 < tokens.count { position += 1 }
        return token
    }

    func error(_ message: String, line: Int? = nil) -> TemplateError {
        TemplateError(code: .syntax, template: template, line: line ?? current.line, message: message)
    }

    func unexpected(expected: String) -> TemplateError {
        error("unexpected \(current.description), expected \(expected)")
    }

    func isAt(_ symbol: Symbol) -> Bool { current.kind == .symbol(symbol) }

    func isAt(name: String) -> Bool { current.kind == .name(name) }

    mutating func skip(_ symbol: Symbol) -> Bool { skip(.symbol(symbol)) }

    mutating func skip(name: String) -> Bool { skip(.name(name)) }

    private mutating func skip(_ kind: Token.Kind) -> Bool {
        guard current.kind == kind else { return false }
        advance()
        return true
    }

    mutating func expect(_ symbol: Symbol) throws(TemplateError) {
        guard skip(symbol) else { throw unexpected(expected: "'\(symbol.rawValue)'") }
    }

    mutating func expect(_ kind: Token.Kind) throws(TemplateError) {
        guard skip(kind) else { throw unexpected(expected: Token(kind: kind, line: 0).description) }
    }

    mutating func expectName(_ what: String = "a name") throws(TemplateError) -> String {
        guard case .name(let name) = current.kind else { throw unexpected(expected: what) }
        advance()
        return name
    }

    /// Parses something that may contain itself.
    mutating func nested<Result>(
        _ parse: (inout Parser) throws(TemplateError) -> Result
    ) throws(TemplateError) -> Result {
        guard depth < TemplateLimits.syntaxDepth else {
            throw TemplateError(
                code: .limit, template: template, line: current.line,
                message: "blocks and expressions are nested deeper than \(TemplateLimits.syntaxDepth)")
        }
        depth += 1
        defer { depth -= 1 }
        return try parse(&self)
    }
}

internal import ModelFiles

/// Splits a template into tokens, with `trim_blocks` and `lstrip_blocks` as transformers sets them.
struct Lexer {
    private(set) var cursor: Cursor
    private var tokens: [Token] = []
    /// Whether the text that comes next starts a line: the last tag swallowed a line break, or there was none yet.
    private var isLineStart = true

    /// The tokens of a template, ending with one `end`.
    static func tokens(of source: String, template: String) throws(TemplateError) -> [Token] {
        var lexer = Lexer(cursor: Cursor(source, template: template))
        while !lexer.cursor.isAtEnd { try lexer.lexTextAndTag() }
        lexer.append(.end, line: lexer.cursor.line)
        return lexer.tokens
    }

    private init(cursor: Cursor) { self.cursor = cursor }

    private mutating func append(_ kind: Token.Kind, line: Int) { tokens.append(Token(kind: kind, line: line)) }

    // MARK: Text

    private mutating func lexTextAndTag() throws(TemplateError) {
        let start = cursor.position
        let startLine = cursor.line
        while !cursor.isAtEnd, !cursor.isAtTag { cursor.advance() }
        let text = cursor.scalars[start..<cursor.position]
        if cursor.isAtEnd {
            appendText(text, line: startLine)
            return
        }
        let sign = cursor.peek(2)
        let isVariable = cursor.peek(1) == "{"
        appendText(strip(text, sign: sign, isVariable: isVariable), line: startLine)
        let line = cursor.line
        if cursor.peek(1) == "#" {
            try lexComment()
        } else if let end = cursor.tagEnd(ofWord: "raw", canTrim: false) {
            try lexRaw(from: end)
        } else {
            cursor.advance(by: sign == "-" || sign == "+" ? 3 : 2)
            append(isVariable ? .variableBegin : .blockBegin, line: line)
            try lexTag(isVariable: isVariable, openedAt: line)
        }
        isLineStart = cursor.position > 0 && cursor.scalars[cursor.position - 1] == "\n"
    }

    private mutating func appendText(_ text: ArraySlice<Unicode.Scalar>, line: Int) {
        if !text.isEmpty { append(.data(Array(text)), line: line) }
    }

    /// What remains of the text before a tag with this sign.
    private func strip(
        _ text: ArraySlice<Unicode.Scalar>, sign: Unicode.Scalar?, isVariable: Bool
    ) -> ArraySlice<Unicode.Scalar> {
        if sign == "-" {
            return text.prefix(upTo: text.lastIndex { !$0.isPythonSpace }.map { $0 + 1 } ?? text.startIndex)
        }
        guard sign != "+", !isVariable else { return text }
        let lastBreak = text.lastIndex(of: "\n")
        guard lastBreak != nil || isLineStart else { return text }
        let lineStart = lastBreak.map { $0 + 1 } ?? text.startIndex
        return text[lineStart...].allSatisfy(\.isPythonSpace) ? text.prefix(upTo: lineStart) : text
    }

    private mutating func lexComment() throws(TemplateError) {
        let line = cursor.line
        cursor.advance(by: 2)
        while !(cursor.peek(0) == "#" && cursor.peek(1) == "}") {
            guard !cursor.isAtEnd else { throw cursor.error("the comment '{#' is never closed by '#}'", line: line) }
            cursor.advance()
        }
        let sign = cursor.scalars[cursor.position - 1]
        cursor.advance(by: 2)
        skipAfterTag(sign: sign)
    }

    private mutating func lexRaw(from start: Int) throws(TemplateError) {
        let line = cursor.line
        cursor.advance(to: start)
        isLineStart = cursor.scalars[start - 1] == "\n"
        let textLine = cursor.line
        while !cursor.isAtEnd {
            if cursor.isAtTag, let end = cursor.tagEnd(ofWord: "endraw", canTrim: true) {
                let text = strip(cursor.scalars[start..<cursor.position], sign: cursor.peek(2), isVariable: false)
                appendText(text, line: textLine)
                cursor.advance(to: end)
                return
            }
            cursor.advance()
        }
        throw cursor.error("the block '{% raw %}' is never closed by '{% endraw %}'", line: line)
    }

    /// Skips the white space that the end of a tag swallows.
    private mutating func skipAfterTag(sign: Unicode.Scalar?) {
        if sign == "-" {
            cursor.skipSpace()
        } else if sign != "+", cursor.peek(0) == "\n" {
            cursor.advance()
        }
    }

    // MARK: Tags

    private mutating func lexTag(isVariable: Bool, openedAt line: Int) throws(TemplateError) {
        var open: [Symbol] = []
        while true {
            cursor.skipSpace()
            if open.isEmpty, lexTagEnd(isVariable: isVariable) { return }
            guard let scalar = cursor.peek(0) else {
                let (begin, end) = isVariable ? ("{{", "}}") : ("{%", "%}")
                throw cursor.error("the tag '\(begin)' is never closed by '\(end)'", line: line)
            }
            let tokenLine = cursor.line
            if scalar == "'" || scalar == "\"" {
                append(.string(try cursor.readString()), line: tokenLine)
            } else if ("0"..."9").contains(scalar) {
                append(try cursor.readNumber(isAfterDot: tokens.last?.kind == .symbol(.dot)), line: tokenLine)
            } else if scalar == "_" || scalar.properties.isXIDStart {
                append(.name(try cursor.readName()), line: tokenLine)
            } else {
                let symbol = try cursor.readSymbol()
                try balance(symbol, &open, line: tokenLine)
                append(.symbol(symbol), line: tokenLine)
            }
        }
    }

    private mutating func lexTagEnd(isVariable: Bool) -> Bool {
        let sign = cursor.peek(0)
        let hasSign = sign == "-" || (sign == "+" && !isVariable)
        let offset = hasSign ? 1 : 0
        guard cursor.peek(offset) == (isVariable ? "}" : "%"), cursor.peek(offset + 1) == "}" else { return false }
        append(isVariable ? .variableEnd : .blockEnd, line: cursor.line)
        cursor.advance(by: offset + 2)
        // A line break after a variable stays.
        if hasSign || !isVariable { skipAfterTag(sign: hasSign ? sign : nil) }
        return true
    }

    private func balance(_ symbol: Symbol, _ open: inout [Symbol], line: Int) throws(TemplateError) {
        if let closing = symbol.closing {
            open.append(closing)
        } else if symbol.isClosing {
            guard let expected = open.popLast() else {
                throw cursor.error("unexpected '\(symbol.rawValue)'", line: line)
            }
            guard expected == symbol else {
                throw cursor.error("unexpected '\(symbol.rawValue)', expected '\(expected.rawValue)'", line: line)
            }
        }
    }
}

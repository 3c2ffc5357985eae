internal import ModelFiles

/// A place in the text of a template.
struct Cursor {
    let scalars: [Unicode.Scalar]
    /// The longest name: names are hashed whenever a variable is read.
    private static let nameLength = 255

    private let template: String
    private(set) var position = 0
    /// The line at the position, from 1.
    private(set) var line = 1

    /// The start of a template, with its line breaks normalized and a last one removed, as Jinja does.
    init(_ source: String, template: String) {
        self.template = template
        var scalars: [Unicode.Scalar] = []
        var isAfterReturn = false
        for scalar in source.unicodeScalars {
            if scalar != "\n" || !isAfterReturn { scalars.append(scalar == "\r" ? "\n" : scalar) }
            isAfterReturn = scalar == "\r"
        }
        if scalars.last == "\n" { scalars.removeLast() }
        self.scalars = scalars
    }

    var isAtEnd: Bool { position == scalars.count }

    var isAtTag: Bool { peek(0) == "{" && (peek(1) == "%" || peek(1) == "{" || peek(1) == "#") }

    func peek(_ offset: Int) -> Unicode.Scalar? { scalar(at: position + offset) }

    private func scalar(at index: Int) -> Unicode.Scalar? { index < scalars.count ? scalars[index] : nil }

    mutating func advance(by count: Int = 1) { advance(to: position + count) }

    mutating func advance(to end: Int) {
        while position < min(end, scalars.count) {
            if scalars[position] == "\n" { line += 1 }
            position += 1
        }
    }

    mutating func skipSpace() {
        while let scalar = peek(0), scalar.isPythonSpace { advance() }
    }

    func error(_ message: String, line: Int? = nil) -> TemplateError {
        TemplateError(code: .syntax, template: template, line: line ?? self.line, message: message)
    }

    /// The place after `{% word %}`, with any signs, if that stands here.
    func tagEnd(ofWord word: String, canTrim: Bool) -> Int? {
        guard peek(0) == "{", peek(1) == "%" else { return nil }
        var index = position + 2
        if peek(2) == "-" || peek(2) == "+" { index += 1 }
        let skipSpace = { while let scalar = scalar(at: index), scalar.isPythonSpace { index += 1 } }
        skipSpace()
        for expected in word.unicodeScalars {
            guard scalar(at: index) == expected else { return nil }
            index += 1
        }
        skipSpace()
        let sign = scalar(at: index)
        let hasSign = sign == "-" || (canTrim && sign == "+")
        if hasSign { index += 1 }
        guard scalar(at: index) == "%", scalar(at: index + 1) == "}" else { return nil }
        index += 2
        if sign == "-" {
            skipSpace()
        } else if canTrim, !hasSign, scalar(at: index) == "\n" {
            index += 1
        }
        return index
    }

    mutating func readName() throws(TemplateError) -> String {
        let start = position
        while let scalar = peek(0), scalar == "_" || scalar.properties.isXIDContinue { advance() }
        guard position - start <= Self.nameLength else {
            throw error("a name is longer than \(Self.nameLength) characters")
        }
        return PythonString(scalars[start..<position]).text
    }

    mutating func readSymbol() throws(TemplateError) -> Symbol {
        for length in [2, 1] where position + length <= scalars.count {
            if let symbol = Symbol(rawValue: PythonString(scalars[position..<position + length]).text) {
                advance(by: length)
                return symbol
            }
        }
        throw error("unexpected character \(PythonString(scalars[position...].prefix(1)).text.quotedForMessage)")
    }
}

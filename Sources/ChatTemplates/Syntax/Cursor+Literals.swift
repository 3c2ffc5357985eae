internal import ModelFiles

extension Cursor {
    /// Reads a number: `12`, `1_000`, `0x1F`, `0o17`, `0b101`, `1.5`, `2e-3`.
    ///
    /// - Parameter isAfterDot: the number follows a dot, as in `a.0.1`, and has no fraction.
    mutating func readNumber(isAfterDot: Bool) throws(TemplateError) -> Token.Kind {
        if peek(0) == "0", let radix = peek(1).flatMap(radix(of:)), let next = peek(2), isDigit(next, radix: radix) {
            advance(by: 2)
            return .integer(try integer(readDigits(radix: radix), radix: radix))
        }
        var text = readDigits(radix: 10)
        var isFloat = false
        if !isAfterDot {
            if peek(0) == ".", let next = peek(1), isDigit(next, radix: 10) {
                advance()
                text += "." + readDigits(radix: 10)
                isFloat = true
            }
            let signLength = peek(1) == "+" || peek(1) == "-" ? 1 : 0
            if peek(0) == "e" || peek(0) == "E", let next = peek(1 + signLength), isDigit(next, radix: 10) {
                text += peek(1) == "-" ? "e-" : "e"
                advance(by: 1 + signLength)
                text += readDigits(radix: 10)
                isFloat = true
            }
        }
        guard isFloat else {
            guard text.first != "0" || text.allSatisfy({ $0 == "0" }) else {
                throw error("the number \(text.quotedForMessage) starts with 0")
            }
            return .integer(try integer(text, radix: 10))
        }
        guard let value = Double(text) else { throw error("\(text.quotedForMessage) is not a number") }
        return .float(value)
    }

    private func radix(of letter: Unicode.Scalar) -> Int? {
        switch letter {
        case "b", "B": 2
        case "o", "O": 8
        case "x", "X": 16
        default: nil
        }
    }

    private func isDigit(_ scalar: Unicode.Scalar, radix: Int) -> Bool {
        scalar.isASCII && Character(scalar).hexDigitValue.map { $0 < radix } ?? false
    }

    /// Reads digits, single underscores between them allowed.
    private mutating func readDigits(radix: Int) -> String {
        var digits = ""
        while let scalar = peek(0) {
            if isDigit(scalar, radix: radix) {
                digits.unicodeScalars.append(scalar)
            } else if scalar != "_" || !(peek(1).map { isDigit($0, radix: radix) } ?? false) {
                break
            }
            advance()
        }
        return digits
    }

    private func integer(_ digits: String, radix: Int) throws(TemplateError) -> Int {
        guard let value = Int(digits, radix: radix) else {
            throw error("the number \(digits.quotedForMessage) does not fit 64 bits")
        }
        return value
    }

    /// Reads a string in quotes with Python's escapes.
    mutating func readString() throws(TemplateError) -> [Unicode.Scalar] {
        let quote = peek(0)
        let line = line
        advance()
        var result: [Unicode.Scalar] = []
        while let scalar = peek(0) {
            advance()
            if scalar == quote { return result }
            if scalar == "\\" { try readEscape(into: &result) } else { result.append(scalar) }
        }
        throw error("the string is never closed", line: line)
    }

    private mutating func readEscape(into result: inout [Unicode.Scalar]) throws(TemplateError) {
        guard let letter = peek(0) else { return }
        if isDigit(letter, radix: 8) {
            var value: UInt32 = 0
            for _ in 0..<3 {
                guard let scalar = peek(0), isDigit(scalar, radix: 8) else { break }
                value = value * 8 + (scalar.value - 0x30)
                advance()
            }
            return result.append(try scalar(value))
        }
        advance()
        switch letter {
        case "\n": break
        case "\\", "'", "\"": result.append(letter)
        case "a": result.append("\u{7}")
        case "b": result.append("\u{8}")
        case "f": result.append("\u{C}")
        case "n": result.append("\n")
        case "r": result.append("\r")
        case "t": result.append("\t")
        case "v": result.append("\u{B}")
        case "x": result.append(try readHexadecimal(letter, count: 2))
        case "u": result.append(try readHexadecimal(letter, count: 4))
        case "U": result.append(try readHexadecimal(letter, count: 8))
        case "N": throw error("the escape '\\N' is not supported")
        default: result += ["\\", letter]
        }
    }

    private mutating func readHexadecimal(_ letter: Unicode.Scalar, count: Int) throws(TemplateError) -> Unicode.Scalar
    {
        var value: UInt32 = 0
        for _ in 0..<count {
            guard let next = peek(0), isDigit(next, radix: 16), let digit = Character(next).hexDigitValue else {
                throw error("the escape '\\\(letter)' needs \(count) hexadecimal digits")
            }
            value = value << 4 | UInt32(digit)
            advance()
        }
        return try scalar(value)
    }

    private func scalar(_ value: UInt32) throws(TemplateError) -> Unicode.Scalar {
        guard let scalar = Unicode.Scalar(value) else {
            throw error("the escape for \(String(value, radix: 16)) is not a Unicode scalar")
        }
        return scalar
    }
}

extension JSON {
    /// Parses one JSON text (RFC 8259, UTF-8) and nothing after it.
    ///
    /// An object that names a key twice is an error. `NaN`, `Infinity` and `-Infinity`, which Python writes, are errors.
    ///
    /// - Parameters:
    ///   - bytes: the text, UTF-8, optionally with a byte order mark.
    ///   - limits: what the text may cost.
    /// - Throws: ``JSONError`` with the byte at which the text stops being JSON or exceeds a limit.
    public init(parsing bytes: UnsafeRawBufferPointer, limits: JSONLimits = JSONLimits()) throws(JSONError) {
        guard bytes.count <= limits.byteCount else {
            throw JSONError(
                message: "the text has \(bytes.count) bytes, more than the \(limits.byteCount) allowed", offset: 0)
        }
        var parser = JSONParser(bytes: bytes, limits: limits)
        self = try parser.parseText()
    }

    /// Parses one JSON text from a string; see ``init(parsing:limits:)-(UnsafeRawBufferPointer,_)``.
    public init(parsing text: String, limits: JSONLimits = JSONLimits()) throws(JSONError) {
        let result = Array(text.utf8).withUnsafeBytes { bytes in
            Result { () throws(JSONError) in try JSON(parsing: bytes, limits: limits) }
        }
        self = try result.get()
    }
}

/// A recursive-descent parser; its recursion is bounded by `limits.depth`.
///
/// `position` never exceeds `bytes.count`: it only moves past bytes that `peek` or a length check has seen.
private struct JSONParser {
    let bytes: UnsafeRawBufferPointer
    let limits: JSONLimits
    var position = 0
    var depth = 0
    var valueCount = 0

    init(bytes: UnsafeRawBufferPointer, limits: JSONLimits) {
        self.bytes = bytes
        self.limits = limits
    }

    mutating func parseText() throws(JSONError) -> JSON {
        if bytes.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF { position = 3 }
        skipWhitespace()
        let value = try parseValue()
        skipWhitespace()
        guard position == bytes.count else { throw error("unexpected text after the value") }
        return value
    }

    private mutating func parseValue() throws(JSONError) -> JSON {
        valueCount += 1
        guard valueCount <= limits.valueCount else { throw error("more than \(limits.valueCount) values") }
        guard let first = peek() else { throw error("unexpected end of the text, expected a value") }
        switch first {
        case UInt8(ascii: "{"): return try nested { (parser) throws(JSONError) in try parser.parseObject() }
        case UInt8(ascii: "["): return try nested { (parser) throws(JSONError) in try parser.parseArray() }
        case UInt8(ascii: "\""): return .string(try parseString())
        case UInt8(ascii: "t"): return try parseWord("true", .bool(true))
        case UInt8(ascii: "f"): return try parseWord("false", .bool(false))
        case UInt8(ascii: "n"): return try parseWord("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try parseNumber()
        default: throw error("expected a value")
        }
    }

    private mutating func nested(
        _ parse: (inout JSONParser) throws(JSONError) -> JSON
    ) throws(JSONError) -> JSON {
        guard depth < limits.depth else { throw error("nested deeper than \(limits.depth)") }
        depth += 1
        position += 1
        skipWhitespace()
        let value = try parse(&self)
        depth -= 1
        return value
    }

    private mutating func parseArray() throws(JSONError) -> JSON {
        var elements: [JSON] = []
        if consume(UInt8(ascii: "]")) { return .array(elements) }
        while true {
            elements.append(try parseValue())
            skipWhitespace()
            if consume(UInt8(ascii: "]")) { return .array(elements) }
            guard consume(UInt8(ascii: ",")) else { throw error("expected ',' or ']' in an array") }
            skipWhitespace()
        }
    }

    private mutating func parseObject() throws(JSONError) -> JSON {
        var members = JSONObject()
        if consume(UInt8(ascii: "}")) { return .object(members) }
        while true {
            let keyPosition = position
            guard peek() == UInt8(ascii: "\"") else { throw error("expected a string as key") }
            let key = try parseString()
            skipWhitespace()
            guard consume(UInt8(ascii: ":")) else { throw error("expected ':' after the key") }
            skipWhitespace()
            guard members.updateValue(try parseValue(), forKey: key) == nil else {
                throw JSONError(message: "duplicate key \(key.quotedForMessage)", offset: keyPosition)
            }
            skipWhitespace()
            if consume(UInt8(ascii: "}")) { return .object(members) }
            guard consume(UInt8(ascii: ",")) else { throw error("expected ',' or '}' in an object") }
            skipWhitespace()
        }
    }

    private mutating func parseWord(_ word: StaticString, _ value: JSON) throws(JSONError) -> JSON {
        let count = word.utf8CodeUnitCount
        guard bytes.count - position >= count,
            UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
                .elementsEqual(UnsafeRawBufferPointer(start: word.utf8Start, count: count))
        else { throw error("expected a value") }
        position += count
        return value
    }

    // MARK: Numbers

    private mutating func parseNumber() throws(JSONError) -> JSON {
        let start = position
        _ = consume(UInt8(ascii: "-"))
        if !consume(UInt8(ascii: "0")) { try skipDigits() }
        var isInteger = true
        if consume(UInt8(ascii: ".")) {
            isInteger = false
            try skipDigits()
        }
        if consume(UInt8(ascii: "e")) || consume(UInt8(ascii: "E")) {
            isInteger = false
            if !consume(UInt8(ascii: "+")) { _ = consume(UInt8(ascii: "-")) }
            try skipDigits()
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isInteger, let value = Int(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else {
            throw JSONError(message: "the number is out of range", offset: start)
        }
        return .number(value)
    }

    private mutating func skipDigits() throws(JSONError) {
        let start = position
        while let byte = peek(), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
        guard position > start else { throw error("expected a digit") }
    }

    // MARK: Strings

    private mutating func parseString() throws(JSONError) -> String {
        position += 1
        let start = position
        while let byte = peek(), byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { position += 1 }
        // Most strings have no escape and are decoded at once.
        if peek() == UInt8(ascii: "\"") {
            let text = try decodeUTF8(UnsafeRawBufferPointer(rebasing: bytes[start..<position]), at: start)
            position += 1
            return text
        }
        var units = Array(bytes[start..<position])
        while true {
            guard let byte = peek() else { throw error("unexpected end of the text in a string") }
            guard byte >= 0x20 else { throw error("unescaped control character in a string") }
            position += 1
            if byte == UInt8(ascii: "\"") { break }
            if byte == UInt8(ascii: "\\") {
                units.append(contentsOf: UTF8.encode(try parseEscape()) ?? UTF8.encodedReplacementCharacter)
            } else {
                units.append(byte)
            }
        }
        let result = units.withUnsafeBytes { units in
            Result { () throws(JSONError) in try decodeUTF8(units, at: start) }
        }
        return try result.get()
    }

    private func decodeUTF8(_ units: UnsafeRawBufferPointer, at offset: Int) throws(JSONError) -> String {
        guard let text = String(validating: units.assumingMemoryBound(to: UInt8.self), as: UTF8.self) else {
            throw JSONError(message: "the string is not valid UTF-8", offset: offset)
        }
        return text
    }

    /// A lone surrogate becomes U+FFFD, as no Swift string can hold it.
    private mutating func parseEscape() throws(JSONError) -> Unicode.Scalar {
        guard let byte = peek() else { throw error("unexpected end of the text in a string") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            let unit = try parseHexUnit()
            if let scalar = Unicode.Scalar(unit) { return scalar }
            let afterFirst = position
            if UTF16.isLeadSurrogate(UInt16(unit)), consume(UInt8(ascii: "\\")), consume(UInt8(ascii: "u")) {
                let second = try parseHexUnit()
                if UTF16.isTrailSurrogate(UInt16(second)) {
                    return Unicode.Scalar(0x10000 + ((unit - 0xD800) << 10) + (second - 0xDC00)) ?? "\u{FFFD}"
                }
            }
            position = afterFirst
            return "\u{FFFD}"
        default:
            position -= 1
            throw error("unknown escape in a string")
        }
    }

    private mutating func parseHexUnit() throws(JSONError) -> UInt32 {
        var unit: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = peek(), byte < 0x80, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw error("expected four hexadecimal digits")
            }
            unit = unit << 4 | UInt32(digit)
            position += 1
        }
        return unit
    }

    // MARK: Bytes

    private func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func consume(_ byte: UInt8) -> Bool {
        guard peek() == byte else { return false }
        position += 1
        return true
    }

    private mutating func skipWhitespace() {
        while let byte = peek(), byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private func error(_ message: String) -> JSONError { JSONError(message: message, offset: position) }
}

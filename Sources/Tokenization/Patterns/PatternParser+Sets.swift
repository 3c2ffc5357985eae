internal import ModelFiles

/// Bracket expressions, escapes and case folding.
extension PatternParser {
    /// A bracket expression: members, ranges, nested sets, `&&` and a leading `^`.
    mutating func parseBracket() throws(PatternError) -> ScalarSet {
        let start = position
        advance()
        let isNegated = consume("^")
        var intersection: ScalarSet?
        var members: [ClosedRange<UInt32>] = []
        var isEmpty = true
        while !consume("]") {
            guard peek() != nil else {
                throw PatternError(message: "'[' without ']'", position: start, isUnsupported: false)
            }
            if consume("&&") {
                intersection = intersection?.intersection(ScalarSet(members)) ?? ScalarSet(members)
                members.removeAll()
            } else {
                members += try parseMember().ranges
            }
            isEmpty = false
        }
        guard !isEmpty else {
            throw PatternError(message: "empty set; write \\] for a bracket", position: start, isUnsupported: false)
        }
        let set = try foldingCase(intersection?.intersection(ScalarSet(members)) ?? ScalarSet(members))
        return isNegated ? set.complement : set
    }

    private mutating func parseMember() throws(PatternError) -> ScalarSet {
        if consume("[:") { throw error("POSIX bracket; use \\p{…}", isUnsupported: true) }
        if peek() == "[" { return try nested { (parser) throws(PatternError) in try parser.parseBracket() } }
        let first = try parseSingle()
        guard let lower = first.onlyMember, peek() == "-" else { return first }
        advance()
        // A hyphen before the end is itself.
        if peek() == "]" { return first.union(ScalarSet(scalar: "-")) }
        let boundPosition = position
        guard let upper = try parseSingle().onlyMember, lower <= upper else {
            throw PatternError(
                message: "range without an upper bound at or above the lower; write \\- for a hyphen",
                position: boundPosition, isUnsupported: false)
        }
        return ScalarSet([lower...upper])
    }

    private mutating func parseSingle() throws(PatternError) -> ScalarSet {
        guard let next = peek() else { throw error("unexpected end of the pattern") }
        if next == "\\" { return try parseEscape(isInBracket: true) }
        advance()
        return ScalarSet(scalar: next)
    }

    /// An escape that stands for one scalar of a set.
    mutating func parseEscape(isInBracket: Bool = false) throws(PatternError) -> ScalarSet {
        let start = position
        advance()
        guard let next = peek() else { throw error("unexpected end of the pattern after '\\'") }
        advance()
        switch next {
        case "s": return CharacterProperty.whitespace
        case "S": return CharacterProperty.whitespace.complement
        case "d": return CharacterProperty.category("Nd")
        case "D": return CharacterProperty.category("Nd").complement
        case "w", "W":
            let set = isInBracket ? CharacterProperty.word : CharacterProperty.wordOutsideBrackets
            return next == "W" ? set.complement : set
        case "p", "P":
            let property = try parseProperty()
            let set = isInBracket ? property : try foldingCase(property)
            return next == "P" ? set.complement : set
        default:
            guard let scalar = try parseCharacterEscape(next) else {
                throw PatternError(
                    message: "unknown escape \\\(next)", position: start, isUnsupported: next.isASCII)
            }
            return isInBracket ? ScalarSet(scalar: scalar) : try foldingCase(ScalarSet(scalar: scalar))
        }
    }

    private mutating func parseCharacterEscape(_ next: Unicode.Scalar) throws(PatternError) -> Unicode.Scalar? {
        switch next {
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "f": return "\u{C}"
        case "v": return "\u{B}"
        case "a": return "\u{7}"
        case "e": return "\u{1B}"
        case "u": return try parseHexadecimal(digits: 4)
        case "x":
            guard consume("{") else { return try parseHexadecimal(digits: 2) }
            let scalar = try parseHexadecimal(digits: 8)
            guard consume("}") else { throw error("expected '}' after \\x{…") }
            return scalar
        case "0"..."9", "A"..."Z", "a"..."z": return nil
        default: return next
        }
    }

    /// Exactly two or four digits, or up to eight.
    private mutating func parseHexadecimal(digits: Int) throws(PatternError) -> Unicode.Scalar {
        var value: UInt32 = 0
        var count = 0
        while count < digits, let next = peek(), next.isASCII, let digit = Character(next).hexDigitValue {
            value = value << 4 | UInt32(digit)
            count += 1
            advance()
        }
        guard count == digits || digits == 8 && count > 0, let scalar = Unicode.Scalar(value) else {
            throw error("expected the hexadecimal digits of a Unicode scalar")
        }
        return scalar
    }

    /// What follows `\p`: a general category in braces, negated by `^`.
    private mutating func parseProperty() throws(PatternError) -> ScalarSet {
        guard consume("{") else { throw error("expected '{' after \\p") }
        let isNegated = consume("^")
        let start = position
        var name = ""
        while let next = peek(), next != "}" {
            name.unicodeScalars.append(next)
            advance()
        }
        guard consume("}") else { throw error("expected '}' after \\p{…") }
        guard let set = CharacterProperty.named(name) else {
            throw PatternError(
                message: "found the property \(name.quotedForMessage), supported: general categories, such as L and Nd",
                position: start, isUnsupported: true)
        }
        return isNegated ? set.complement : set
    }

    /// Adds the other case of each letter inside `(?i:…)`, with U+017F for s and U+212A for k.
    ///
    /// Only ASCII letters have their other case added; a set with other cased letters is refused rather than matched
    /// differently from the file's author's engine.
    func foldingCase(_ set: ScalarSet) throws(PatternError) -> ScalarSet {
        guard ignoresCase else { return set }
        let cased = set.intersection(CharacterProperty.cased)
        let foldingToASCII = ScalarSet([0x17F...0x17F, 0x212A...0x212A])
        guard cased.intersection(ScalarSet.ascii.union(foldingToASCII).complement).isEmpty else {
            throw error("(?i:…) around cased letters other than a-z", isUnsupported: true)
        }
        var folded = set.ranges
        for pair in zip(UInt32(0x41)...0x5A, UInt32(0x61)...0x7A) {
            let special: UInt32? = pair.1 == 0x73 ? 0x17F : pair.1 == 0x6B ? 0x212A : nil
            let variants = [pair.0, pair.1] + (special.map { [$0] } ?? [])
            if variants.contains(where: set.contains) { folded += variants.map { $0...$0 } }
        }
        return ScalarSet(folded)
    }
}

/// Parses the regular expressions of tokenizer files: Oniguruma's Ruby syntax without captures, lookbehind and scripts.
///
/// The recursion is bounded by `maximumDepth`.
struct PatternParser {
    static let maximumLength = 16_384
    static let maximumDepth = 50
    static let maximumRepetition = 1_000

    private(set) var scalars: [Unicode.Scalar]
    private(set) var position = 0
    private var depth = 0
    private(set) var ignoresCase = false

    init(_ pattern: String) throws(PatternError) {
        scalars = Array(pattern.unicodeScalars)
        guard scalars.count <= Self.maximumLength else {
            throw error("the pattern has \(scalars.count) characters, more than \(Self.maximumLength)")
        }
    }

    mutating func parse() throws(PatternError) -> PatternSyntax {
        let syntax = try parseAlternation()
        guard position == scalars.count else { throw error("')' without '('") }
        return syntax
    }

    private mutating func parseAlternation() throws(PatternError) -> PatternSyntax {
        var options = [try parseSequence()]
        while consume("|") { options.append(try parseSequence()) }
        return options.count == 1 ? options[0] : .alternation(options)
    }

    private mutating func parseSequence() throws(PatternError) -> PatternSyntax {
        var parts: [PatternSyntax] = []
        while let next = peek(), next != "|", next != ")" {
            let start = position
            parts.append(try parseRepetition(of: try parseAtom(), from: start))
        }
        return parts.count == 1 ? parts[0] : .sequence(parts)
    }

    // MARK: Repetitions

    private mutating func parseRepetition(of atom: PatternSyntax, from start: Int) throws(PatternError) -> PatternSyntax
    {
        guard let (minimum, maximum, isInterval) = try parseCounts() else { return atom }
        if isInterval, minimum == maximum, peek() == "?" {
            throw error("{n}?, which engines read differently", isUnsupported: true)
        }
        if case .set = atom {
        } else if atom.canBeEmpty {
            throw PatternError(
                message: "repetition of something that can match nothing", position: start, isUnsupported: true)
        }
        var greed = PatternSyntax.Greed.greedy
        if consume("?") { greed = .lazy } else if !isInterval, consume("+") { greed = .possessive }
        var syntax = PatternSyntax.repetition(atom, minimum: minimum, maximum: maximum, greed)
        // As in Oniguruma, `a{1,3}+` repeats the interval; only `?+`, `*+` and `++` are possessive.
        if isInterval, greed == .greedy, minimum > 0, consume("+") {
            syntax = .repetition(syntax, minimum: 1, maximum: nil, .greedy)
        }
        if let next = peek(), "*+?{".unicodeScalars.contains(next) {
            throw error("repetition of a repetition; use a group", isUnsupported: true)
        }
        return syntax
    }

    /// The counts of `?`, `*`, `+` or an interval, or nil if none of them follows.
    private mutating func parseCounts() throws(PatternError) -> (minimum: Int, maximum: Int?, isInterval: Bool)? {
        if consume("?") { return (0, 1, false) }
        if consume("*") { return (0, nil, false) }
        if consume("+") { return (1, nil, false) }
        let start = position
        guard consume("{") else { return nil }
        let minimum = try parseNumber()
        var maximum = minimum
        var isUnlimited = false
        if consume(",") {
            maximum = try parseNumber()
            isUnlimited = maximum == nil
        }
        guard consume("}"), minimum != nil || maximum != nil, minimum ?? 0 <= maximum ?? .max else {
            throw PatternError(
                message: "expected {n}, {n,}, {,n} or {m,n}; write \\{ for a brace", position: start,
                isUnsupported: false)
        }
        return (minimum ?? 0, isUnlimited ? nil : maximum, true)
    }

    private mutating func parseNumber() throws(PatternError) -> Int? {
        var number: Int?
        while let digit = peek(), digit.isASCII, let value = Character(digit).wholeNumberValue {
            number = (number ?? 0) * 10 + value
            guard let current = number, current <= Self.maximumRepetition else {
                throw error("more than \(Self.maximumRepetition) repetitions", isUnsupported: true)
            }
            position += 1
        }
        return number
    }

    // MARK: Atoms

    private mutating func parseAtom() throws(PatternError) -> PatternSyntax {
        guard let next = peek() else { throw error("unexpected end of the pattern") }
        switch next {
        case "(": return try parseGroup()
        case "[": return .set(try nested { (parser) throws(PatternError) in try parser.parseBracket() })
        case ".":
            position += 1
            return .set(ScalarSet(scalar: "\n").complement)
        case "^", "$":
            position += 1
            return .anchor(next == "^" ? .lineStart : .lineEnd)
        case "*", "+", "?", "{": throw error("nothing to repeat; write \\\(next) for the character")
        case "\\":
            if let anchor = parseAnchor() { return .anchor(anchor) }
            return .set(try parseEscape())
        default:
            position += 1
            return .set(try foldingCase(ScalarSet(scalar: next)))
        }
    }

    private mutating func parseAnchor() -> PatternSyntax.Anchor? {
        if consume("\\A") { return .textStart }
        if consume("\\z") { return .textEnd }
        if consume("\\Z") { return .textEndOrFinalNewline }
        return nil
    }

    private mutating func parseGroup() throws(PatternError) -> PatternSyntax {
        let start = position
        let outerIgnoresCase = ignoresCase
        defer { ignoresCase = outerIgnoresCase }
        var wrap: (PatternSyntax) -> PatternSyntax = { $0 }
        if consume("(?=") {
            wrap = { .lookahead($0, isNegative: false) }
        } else if consume("(?!") {
            wrap = { .lookahead($0, isNegative: true) }
        } else if consume("(?>") {
            wrap = { .atomic($0) }
        } else if consume("(?i:") {
            ignoresCase = true
        } else if consume("(?-i:") {
            ignoresCase = false
        } else if consume("(?:") {
            // Only groups.
        } else if consume("(?") {
            throw PatternError(
                message: "group not among (…) (?:…) (?i:…) (?-i:…) (?=…) (?!…) (?>…)", position: start,
                isUnsupported: true)
        } else {
            advance()
        }
        let body = try nested { (parser) throws(PatternError) in try parser.parseAlternation() }
        guard consume(")") else {
            throw PatternError(message: "'(' without ')'", position: start, isUnsupported: false)
        }
        return wrap(body)
    }

    mutating func nested<Result>(
        _ parse: (inout PatternParser) throws(PatternError) -> Result
    ) throws(PatternError) -> Result {
        guard depth < Self.maximumDepth else {
            throw error("groups nested deeper than \(Self.maximumDepth)", isUnsupported: true)
        }
        depth += 1
        defer { depth -= 1 }
        return try parse(&self)
    }

    // MARK: Characters

    func peek() -> Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

    mutating func advance() { position += 1 }

    mutating func consume(_ text: String) -> Bool {
        guard scalars[position...].starts(with: text.unicodeScalars) else { return false }
        position += text.unicodeScalars.count
        return true
    }

    func error(_ message: String, isUnsupported: Bool = false) -> PatternError {
        PatternError(message: message, position: position, isUnsupported: isUnsupported)
    }
}

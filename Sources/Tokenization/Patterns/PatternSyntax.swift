/// The syntax tree of a pattern.
indirect enum PatternSyntax {
    /// How a repetition that can match in several ways chooses.
    enum Greed { case greedy, lazy, possessive }

    /// A place without width.
    enum Anchor { case textStart, textEnd, textEndOrFinalNewline, lineStart, lineEnd }

    /// One scalar of a set.
    case set(ScalarSet)
    /// One after the other; nothing matches the empty text.
    case sequence([PatternSyntax])
    /// The first that leads to a match.
    case alternation([PatternSyntax])
    /// `minimum` to `maximum` times, without limit if nil.
    case repetition(PatternSyntax, minimum: Int, maximum: Int?, Greed)
    /// A group whose match is not reconsidered.
    case atomic(PatternSyntax)
    /// What follows must match, or must not.
    case lookahead(PatternSyntax, isNegative: Bool)
    case anchor(Anchor)

    /// Whether this can match without consuming a scalar.
    var canBeEmpty: Bool {
        switch self {
        case .set: false
        case .sequence(let parts): parts.allSatisfy(\.canBeEmpty)
        case .alternation(let options): options.contains(where: \.canBeEmpty)
        case .repetition(let body, let minimum, _, _): minimum == 0 || body.canBeEmpty
        case .atomic(let body): body.canBeEmpty
        case .lookahead, .anchor: true
        }
    }

    /// A text to be matched as it is.
    init(literal: String) {
        self = .sequence(literal.unicodeScalars.map { .set(ScalarSet(scalar: $0)) })
    }
}

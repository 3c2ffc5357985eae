/// Cuts pieces where a pattern matches.
///
/// If the matcher's steps are used up (see ``PatternMatcher``), what follows the point reached in that piece, and all
/// later pieces, stay whole: the text still becomes tokens, only with fewer borders than the pattern asks for.
struct Splitter: Sendable {
    /// What becomes of the parts that match, by their names in `tokenizer.json`.
    enum Behavior: String, CaseIterable, Sendable {
        case removed = "Removed"
        case isolated = "Isolated"
        case mergedWithPrevious = "MergedWithPrevious"
        case mergedWithNext = "MergedWithNext"
        case contiguous = "Contiguous"
    }

    /// A part of a piece, all of it matched or none of it.
    private typealias Part = (range: Range<Int>, isMatch: Bool)

    let program: PatternProgram
    let behavior: Behavior
    /// Whether the parts between the matches count as the matches.
    let isInverted: Bool

    /// Cuts the pieces of a text, and takes the steps needed for it from `steps`.
    func apply(to text: inout PreTokenizedText, steps: inout Int) {
        var result: [Range<Int>] = []
        result.reserveCapacity(text.pieces.count)
        text.bytes.withUnsafeBufferPointer { bytes in
            var matcher = PatternMatcher(program, text: bytes, steps: steps)
            var parts: [Part] = []
            for piece in text.pieces {
                parts.removeAll(keepingCapacity: true)
                findParts(of: piece, with: &matcher, &parts)
                appendPieces(from: parts, to: &result)
            }
            steps = matcher.steps
        }
        text.pieces = result
    }

    private func findParts(of piece: Range<Int>, with matcher: inout PatternMatcher, _ parts: inout [Part]) {
        var end = piece.lowerBound
        matcher.forEachMatch(in: piece) { match in
            if end < match.lowerBound { parts.append((end..<match.lowerBound, isInverted)) }
            parts.append((match, !isInverted))
            end = match.upperBound
        }
        if end < piece.upperBound { parts.append((end..<piece.upperBound, isInverted)) }
    }

    private func appendPieces(from parts: [Part], to pieces: inout [Range<Int>]) {
        switch behavior {
        case .isolated:
            for part in parts where !part.range.isEmpty { pieces.append(part.range) }
        case .removed:
            for part in parts where !part.isMatch && !part.range.isEmpty { pieces.append(part.range) }
        case .contiguous:
            appendMerged(parts, to: &pieces) { $0 == $1 }
        case .mergedWithPrevious:
            appendMerged(parts, to: &pieces) { previousIsMatch, isMatch in isMatch && !previousIsMatch }
        case .mergedWithNext:
            appendMerged(parts, to: &pieces) { isMatch, nextIsMatch in isMatch && !nextIsMatch }
        }
    }

    /// Appends the parts, where `joins` says whether two neighbours become one piece.
    private func appendMerged(
        _ parts: [Part], to pieces: inout [Range<Int>], _ joins: (_ left: Bool, _ right: Bool) -> Bool
    ) {
        var current: Part?
        for part in parts {
            if let open = current, joins(open.isMatch, part.isMatch) {
                current = (open.range.lowerBound..<part.range.upperBound, part.isMatch)
                continue
            }
            if let open = current, !open.range.isEmpty { pieces.append(open.range) }
            current = part
        }
        if let open = current, !open.range.isEmpty { pieces.append(open.range) }
    }
}

/// A backtracking machine that matches a pattern against UTF-8 text.
///
/// The choices still open are kept on its own stack, one for a whole run of a set, and every step is counted. When the
/// steps or the stack are used up it reports no match from then on, see ``isExhausted``: no pattern can hang it.
struct PatternMatcher {
    private static let maximumStackDepth = 1 << 20

    /// A choice still open: continue at an instruction from `position`, later from each scalar back to `lowest`.
    private struct Choice {
        let instruction: Int32
        let position: Int
        let lowest: Int
    }

    private let program: PatternProgram
    private let text: UnsafeBufferPointer<UInt8>
    private var bounds = 0..<0
    private var stack: [Choice] = []

    /// The steps that are left.
    private(set) var steps: Int
    /// Whether the steps or the stack are used up.
    private(set) var isExhausted = false

    /// A matcher for parts of a text.
    init(_ program: PatternProgram, text: UnsafeBufferPointer<UInt8>, steps: Int) {
        self.program = program
        self.text = text
        self.steps = steps
    }

    /// The steps that the patterns of a tokenizer may take together for a text: 256 a byte and some for short texts.
    ///
    /// The patterns of published models need about 10 a byte.
    static func steps(forByteCount byteCount: Int) -> Int {
        let (steps, overflow) = byteCount.multipliedReportingOverflow(by: 256)
        return overflow ? .max : max(steps, 4_096)
    }

    /// Calls `body` with each match in a part of the text, from left to right, as if that part were the whole text.
    mutating func forEachMatch(in part: Range<Int>, _ body: (Range<Int>) -> Void) {
        bounds = part
        var position = part.lowerBound
        var lastMatchEnd = -1
        while position <= part.upperBound {
            let end = match(from: 0, at: position)
            if isExhausted { return }
            // An empty match right after a match does not count.
            if let end, end > position || end != lastMatchEnd {
                body(position..<end)
                lastMatchEnd = end
                if end > position {
                    position = end
                    continue
                }
            }
            guard position < part.upperBound else { return }
            position += text.scalarByteCount(at: position)
        }
    }

    /// Where the match that starts at `start` ends, running from an instruction to its `accept`.
    private mutating func match(from first: Int, at start: Int) -> Int? {
        let stackBase = stack.count
        defer { stack.removeLast(stack.count - stackBase) }
        var next = first
        var position = start
        while true {
            steps -= 1
            guard steps > 0, stack.count < Self.maximumStackDepth else {
                isExhausted = true
                return nil
            }
            var isMatching = true
            next += 1
            switch program.instructions[next - 1] {
            case .accept:
                return position
            case .scalar(let scalar):
                isMatching = position < bounds.upperBound && advance(&position) { $0 == scalar }
            case .set(let set):
                isMatching = position < bounds.upperBound && advance(&position) { contains($0, set) }
            case .run(let set, let minimum, let maximum, let isPossessive):
                isMatching = run(set, minimum, maximum, isPossessive, then: next, &position)
            case .fork(let other):
                stack.append(Choice(instruction: other, position: position, lowest: position))
            case .forkLazily(let other):
                stack.append(Choice(instruction: Int32(next), position: position, lowest: position))
                next = Int(other)
            case .jump(let target):
                next = Int(target)
            case .atomic(let end):
                let bodyEnd = match(from: next, at: position)
                isMatching = bodyEnd != nil
                position = bodyEnd ?? position
                next = Int(end)
            case .lookahead(let end, let isNegative):
                isMatching = (match(from: next, at: position) == nil) == isNegative
                next = Int(end)
            case .anchor(let anchor):
                isMatching = isAt(anchor, position)
            }
            if isMatching { continue }
            guard stack.count > stackBase else { return nil }
            (next, position) = resume()
        }
    }

    /// Takes up the last open choice.
    private mutating func resume() -> (next: Int, position: Int) {
        let choice = stack.removeLast()
        if choice.position > choice.lowest {
            stack.append(
                Choice(
                    instruction: choice.instruction, position: text.scalarStart(before: choice.position),
                    lowest: choice.lowest))
        }
        return (Int(choice.instruction), choice.position)
    }

    /// Consumes a run of a set; the shorter runs become one choice.
    @inline(__always)
    private mutating func run(
        _ set: Int32, _ minimum: Int32, _ maximum: Int32, _ isPossessive: Bool, then next: Int, _ position: inout Int
    ) -> Bool {
        var count: Int32 = 0
        var lowest = position
        while count < maximum, position < bounds.upperBound, advance(&position, if: { contains($0, set) }) {
            count += 1
            if count == minimum { lowest = position }
        }
        steps -= Int(count)
        guard count >= minimum else { return false }
        if !isPossessive, position > lowest {
            stack.append(
                Choice(instruction: Int32(next), position: text.scalarStart(before: position), lowest: lowest))
        }
        return true
    }

    @inline(__always)
    private func contains(_ scalar: UInt32, _ set: Int32) -> Bool { program.sets.contains(scalar, inSet: Int(set)) }

    /// Moves over the scalar at `position` if it satisfies a condition.
    @inline(__always)
    private func advance(_ position: inout Int, if isExpected: (UInt32) -> Bool) -> Bool {
        let (scalar, byteCount) = text.scalar(at: position)
        guard isExpected(scalar) else { return false }
        position += byteCount
        return true
    }

    private func isAt(_ anchor: PatternSyntax.Anchor, _ position: Int) -> Bool {
        let newline = UInt8(ascii: "\n")
        switch anchor {
        case .textStart: return position == bounds.lowerBound
        case .textEnd: return position == bounds.upperBound
        case .textEndOrFinalNewline:
            return position == bounds.upperBound || position == bounds.upperBound - 1 && text[position] == newline
        case .lineStart:
            return position == bounds.lowerBound || position < bounds.upperBound && text[position - 1] == newline
        case .lineEnd: return position == bounds.upperBound || text[position] == newline
        }
    }
}

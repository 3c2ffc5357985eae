/// A compiled pattern: instructions for ``PatternMatcher``.
struct PatternProgram: Sendable {
    enum Instruction: Sendable {
        /// Consumes one scalar.
        case scalar(UInt32)
        /// Consumes one scalar of a set.
        case set(Int32)
        /// Consumes as many scalars of a set as there are, and gives them back one by one unless possessive.
        case run(set: Int32, minimum: Int32, maximum: Int32, isPossessive: Bool)
        /// Continues with the next instruction, later perhaps with another.
        case fork(other: Int32)
        /// Continues with another instruction, later perhaps with the next.
        case forkLazily(other: Int32)
        case jump(Int32)
        /// Runs the instructions after this one up to their `accept` and continues at `end` where they stopped.
        case atomic(end: Int32)
        /// As `atomic`, but continues where this instruction began, if they match or, negated, if they do not.
        case lookahead(end: Int32, isNegative: Bool)
        case anchor(PatternSyntax.Anchor)
        case accept
    }

    static let maximumInstructionCount = 20_000
    static let maximumSetCount = 64

    private(set) var instructions: [Instruction] = []
    private(set) var sets = ScalarSetTable()

    /// Compiles a pattern.
    init(_ syntax: PatternSyntax) throws(PatternError) {
        try emit(syntax)
        try append(.accept)
    }

    private mutating func append(_ instruction: Instruction) throws(PatternError) {
        guard instructions.count < Self.maximumInstructionCount else {
            throw PatternError(
                message: "the pattern needs more than \(Self.maximumInstructionCount) instructions", position: 0,
                isUnsupported: true)
        }
        instructions.append(instruction)
    }

    private mutating func insert(_ set: ScalarSet) throws(PatternError) -> Int32 {
        let index = sets.insert(set)
        guard index < Self.maximumSetCount else {
            throw PatternError(
                message: "the pattern has more than \(Self.maximumSetCount) sets", position: 0, isUnsupported: true)
        }
        return Int32(index)
    }

    private mutating func emit(_ syntax: PatternSyntax) throws(PatternError) {
        switch syntax {
        case .set(let set):
            if let scalar = set.onlyMember { try append(.scalar(scalar)) } else { try append(.set(try insert(set))) }
        case .sequence(let parts):
            for part in parts { try emit(part) }
        case .alternation(let options):
            try emitAlternation(options)
        case .repetition(let body, let minimum, let maximum, let greed):
            try emitRepetition(body, minimum, maximum, greed)
        case .atomic(let body):
            try emitBody(body) { .atomic(end: $0) }
        case .lookahead(let body, let isNegative):
            try emitBody(body) { .lookahead(end: $0, isNegative: isNegative) }
        case .anchor(let anchor):
            try append(.anchor(anchor))
        }
    }

    private mutating func emitAlternation(_ options: [PatternSyntax]) throws(PatternError) {
        var jumps: [Int] = []
        for option in options.dropLast() {
            let fork = try reserve()
            try emit(option)
            jumps.append(try reserve())
            instructions[fork] = .fork(other: next)
        }
        if let last = options.last { try emit(last) }
        for jump in jumps { instructions[jump] = .jump(next) }
    }

    private mutating func emitRepetition(
        _ body: PatternSyntax, _ minimum: Int, _ maximum: Int?, _ greed: PatternSyntax.Greed
    ) throws(PatternError) {
        if case .set(let set) = body, greed != .lazy {
            return try append(
                .run(
                    set: try insert(set), minimum: Int32(minimum), maximum: Int32(maximum ?? Int(Int32.max)),
                    isPossessive: greed == .possessive))
        }
        if greed == .possessive {
            return try emitBody(.repetition(body, minimum: minimum, maximum: maximum, .greedy)) { .atomic(end: $0) }
        }
        for _ in 0..<minimum { try emit(body) }
        guard let maximum else {
            let fork = try reserve()
            try emit(body)
            try append(.jump(Int32(fork)))
            return instructions[fork] = greed == .lazy ? .forkLazily(other: next) : .fork(other: next)
        }
        var forks: [Int] = []
        for _ in minimum..<maximum {
            forks.append(try reserve())
            try emit(body)
        }
        for fork in forks { instructions[fork] = greed == .lazy ? .forkLazily(other: next) : .fork(other: next) }
    }

    private mutating func emitBody(
        _ body: PatternSyntax, _ head: (_ end: Int32) -> Instruction
    ) throws(PatternError) {
        let start = try reserve()
        try emit(body)
        try append(.accept)
        instructions[start] = head(next)
    }

    /// Appends an instruction that is replaced when its target is known.
    private mutating func reserve() throws(PatternError) -> Int {
        try append(.accept)
        return instructions.count - 1
    }

    private var next: Int32 { Int32(instructions.count) }
}

extension StringMethods {
    static let searches: [String: StringMethod] = [
        "startswith": { (string, arguments, evaluator) throws(Failure) in
            try matches("startswith", string, arguments, evaluator) { $0.starts(with: $1) }
        },
        "endswith": { (string, arguments, evaluator) throws(Failure) in
            try matches("endswith", string, arguments, evaluator) { $0.reversed().starts(with: $1.reversed()) }
        },
        "find": { (string, arguments, evaluator) throws(Failure) in
            .integer(try find("find", string, arguments, evaluator) ?? -1)
        },
        "rfind": { (string, arguments, evaluator) throws(Failure) in
            .integer(try find("rfind", string, arguments, evaluator, isLast: true) ?? -1)
        },
        "index": { (string, arguments, evaluator) throws(Failure) in
            guard let index = try find("index", string, arguments, evaluator) else {
                throw Failure("substring not found")
            }
            return .integer(index)
        },
        "rindex": { (string, arguments, evaluator) throws(Failure) in
            guard let index = try find("rindex", string, arguments, evaluator, isLast: true) else {
                throw Failure("substring not found")
            }
            return .integer(index)
        },
        "count": count,
        "split": split, "rsplit": splitFromEnd, "splitlines": splitLines,
        "partition": { (string, arguments, evaluator) throws(Failure) in
            let separator = try text(arguments, "sep", "partition", evaluator, string)
            if let parts = try partition(string, separator, at: string.firstIndex(of: separator), evaluator.fuel) {
                return parts
            }
            return try .tuple([.string(string), .string(""), .string("")], evaluator.fuel)
        },
        "rpartition": { (string, arguments, evaluator) throws(Failure) in
            let separator = try text(arguments, "sep", "rpartition", evaluator, string)
            if let parts = try partition(string, separator, at: string.lastIndex(of: separator), evaluator.fuel) {
                return parts
            }
            return try .tuple([.string(""), .string(""), .string(string)], evaluator.fuel)
        },
    ]

    /// The part of a string between the bounds that a method was passed, with the index it begins at; nil if the
    /// bounds are in the wrong order, where Python finds nothing, not even an empty string.
    private static func window(
        _ string: PythonString, _ start: Value?, _ end: Value?, _ method: String
    ) throws(Failure) -> (start: Int, part: PythonString)? {
        func resolve(_ bound: Value?, default fallback: Int) throws(Failure) -> Int {
            guard let bound, !bound.isNone else { return fallback }
            let index = try Value?.some(bound).integer(of: method, default: 0)
            return index < 0 ? max(0, index + string.count) : index
        }
        let first = try resolve(start, default: 0)
        let last = min(try resolve(end, default: string.count), string.count)
        guard first <= last else { return nil }
        return (first, string.with(string.scalars[first..<last]))
    }

    private static func matches(
        _ method: String, _ string: PythonString, _ arguments: Arguments, _ evaluator: Evaluator,
        _ holds: ([Unicode.Scalar], [Unicode.Scalar]) -> Bool
    ) throws(Failure) -> Value {
        let values = try arguments.bind("affix", "start", "end", to: method, required: 1)
        var candidates: [Value] = []
        if case .sequence(let tuple)? = values[0], tuple.kind == .tuple {
            candidates = tuple.elements
        } else if let value = values[0] {
            candidates = [value]
        }
        let isWhole = values[1] == nil && values[2] == nil
        if !isWhole { try evaluator.fuel.charge(string.count) }
        let part = isWhole ? string : try window(string, values[1], values[2], method)?.part
        for candidate in candidates {
            if case .undefined(let undefined) = candidate { throw undefined.failure }
            guard case .string(let affix) = candidate else {
                throw Failure("\(method) first arg must be str or a tuple of str, not \(candidate.typeName)")
            }
            try evaluator.fuel.charge(affix.count)
            if let part, holds(part.scalars, affix.scalars) { return .bool(true) }
        }
        return .bool(false)
    }

    private static func find(
        _ method: String, _ string: PythonString, _ arguments: Arguments, _ evaluator: Evaluator,
        isLast: Bool = false
    ) throws(Failure) -> Int? {
        let values = try arguments.bind("sub", "start", "end", to: method, required: 1)
        guard let part = try values[0].string(of: method) else { throw Failure("\(method) expects a string") }
        try evaluator.fuel.charge(string.count + part.count)
        guard let (start, window) = try window(string, values[1], values[2], method) else { return nil }
        let index = isLast ? window.lastIndex(of: part.scalars) : window.firstIndex(of: part.scalars)
        return index.map { $0 + start }
    }

    @Sendable private static func count(
        _ string: PythonString, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        let values = try arguments.bind("sub", "start", "end", to: "count", required: 1)
        guard let part = try values[0].string(of: "count") else { throw Failure("count expects a string") }
        try evaluator.fuel.charge(string.count + part.count)
        guard let (_, window) = try window(string, values[1], values[2], "count") else { return .integer(0) }
        if part.isEmpty { return .integer(window.count + 1) }
        return .integer(window.indices(of: part.scalars, limit: .max).count)
    }

    // MARK: Splitting

    @Sendable private static func split(
        _ string: PythonString, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        try split(string, arguments, evaluator, isReversed: false)
    }

    /// Splits the reversed string and turns everything around.
    @Sendable private static func splitFromEnd(
        _ string: PythonString, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        try split(string, arguments, evaluator, isReversed: true)
    }

    private static func split(
        _ string: PythonString, _ arguments: Arguments, _ evaluator: Evaluator, isReversed: Bool
    ) throws(Failure) -> Value {
        let values = try arguments.bind("sep", "maxsplit", to: "split")
        let separator = try values[0].string(of: "split")
        guard separator?.isEmpty != true else { throw Failure("empty separator") }
        let count = try values[1].integer(of: "split", default: -1)
        let limit = count < 0 ? Int.max : count
        try evaluator.fuel.charge(string.count + (separator?.count ?? 0))
        var subject = string
        var reversedSeparator = separator?.scalars
        if isReversed {
            subject.scalars.reverse()
            reversedSeparator?.reverse()
        }
        var parts: [PythonString]
        if let reversedSeparator {
            parts = split(subject, at: subject.indices(of: reversedSeparator, limit: limit), reversedSeparator.count)
        } else {
            parts = splitAtSpace(subject, limit: limit)
        }
        if isReversed {
            parts = parts.reversed().map { $0.with($0.scalars.reversed()) }
        }
        return try .list(parts.map { .string($0) }, evaluator.fuel)
    }

    private static func split(_ string: PythonString, at indices: [Int], _ length: Int) -> [PythonString] {
        var parts: [PythonString] = []
        var start = 0
        for index in indices {
            parts.append(string.with(string.scalars[start..<index]))
            start = index + length
        }
        parts.append(string.with(string.scalars[start...]))
        return parts
    }

    private static func splitAtSpace(_ string: PythonString, limit: Int) -> [PythonString] {
        var parts: [PythonString] = []
        var rest = string.scalars.drop(while: \.isPythonSpace)
        while !rest.isEmpty {
            if parts.count == limit {
                parts.append(string.with(rest))
                break
            }
            let word = rest.prefix { !$0.isPythonSpace }
            parts.append(string.with(word))
            rest = rest.dropFirst(word.count).drop(while: \.isPythonSpace)
        }
        return parts
    }

    @Sendable private static func splitLines(
        _ string: PythonString, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        let keepsBreaks = try arguments.bind("keepends", to: "splitlines")[0].isTrue
        try evaluator.fuel.charge(string.count)
        let lines = string.lines(keepsBreaks: keepsBreaks)
        return try .list(lines.map { .string($0) }, evaluator.fuel)
    }

    private static func partition(
        _ string: PythonString, _ separator: [Unicode.Scalar], at index: Int?, _ fuel: Fuel
    ) throws(Failure) -> Value? {
        guard !separator.isEmpty else { throw Failure("empty separator") }
        guard let index else { return nil }
        return try .tuple(
            [
                .string(string.with(string.scalars[..<index])), .string(string.with(separator)),
                .string(string.with(string.scalars[(index + separator.count)...])),
            ], fuel)
    }
}

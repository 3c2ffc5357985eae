extension Filters {
    static let textFilters: [String: Filter] = [
        "upper": text { $0.uppercased },
        "lower": text { $0.lowercased },
        "capitalize": text { $0.capitalized },
        "title": text { $0.titledForFilter },
        "trim": trim, "replace": replace, "indent": indent, "join": join, "center": center, "truncate": truncate,
        "format": format, "wordcount": wordCount, "string": string, "tojson": json, "safe": safe,
        "escape": escape, "e": escape, "forceescape": forceEscape,
    ]

    /// A filter of the text of its value without arguments.
    private static func text(_ transform: @escaping @Sendable (PythonString) -> PythonString) -> Filter {
        { (value, arguments, evaluator) throws(Failure) in
            _ = try arguments.bind(to: "this filter")
            return .string(transform(try paidText(of: value, evaluator)))
        }
    }

    private static func paidText(of value: Value, _ evaluator: Evaluator) throws(Failure) -> PythonString {
        let text = try evaluator.text(value)
        try evaluator.fuel.charge(propertiesOf: text)
        return text
    }

    @Sendable private static func string(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        _ = try arguments.bind(to: "string")
        return .string(try evaluator.text(value))
    }

    @Sendable private static func safe(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        _ = try arguments.bind(to: "safe")
        return .string(PythonString(try paidText(of: value, evaluator).scalars, isMarkup: true))
    }

    @Sendable private static func escape(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        _ = try arguments.bind(to: "escape")
        return .string(try evaluator.text(value).escaped(fuel: evaluator.fuel))
    }

    @Sendable private static func forceEscape(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        _ = try arguments.bind(to: "forceescape")
        return .string(try PythonString(try evaluator.text(value).scalars).escaped(fuel: evaluator.fuel))
    }

    @Sendable private static func trim(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        try StringMethods.strip(try evaluator.text(value), arguments, evaluator)
    }

    @Sendable private static func replace(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        let values = try arguments.bind("old", "new", "count", to: "replace", required: 2)
        let texts = (try evaluator.text(values[0] ?? .none), try evaluator.text(values[1] ?? .none))
        let positional: [Value] = [.string(texts.0), .string(texts.1)] + [values[2]].compactMap(\.self)
        return try StringMethods.replace(
            try evaluator.text(value), Arguments(positional: positional), evaluator)
    }

    @Sendable private static func indent(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        let values = try arguments.bind("width", "first", "blank", to: "indent")
        guard case .string(let string) = value else {
            throw Failure("indent expects a string, not '\(value.typeName)'")
        }
        let indentation = try indentation(values[0] ?? .integer(4), evaluator)
        let lines = string.with(string.scalars + ["\n"]).lines()
        try evaluator.fuel.charge(string.count)
        var result: [Unicode.Scalar] = []
        for (index, line) in lines.enumerated() {
            try evaluator.fuel.charge(indentation.count + line.count)
            if index > 0 { result.append("\n") }
            if index == 0 ? values[1].isTrue : (!line.isEmpty || values[2].isTrue) { result += indentation }
            result += line.scalars
        }
        return .string(string.with(result))
    }

    /// An indentation given as a string or as a number of spaces.
    static func indentation(_ value: Value, _ evaluator: Evaluator) throws(Failure) -> [Unicode.Scalar] {
        if case .string(let string) = value { return string.scalars }
        guard let width = value.integer else {
            throw Failure("an indentation is a number or a string, not '\(value.typeName)'")
        }
        try evaluator.fuel.charge(max(0, width))
        return Array(repeating: " ", count: max(0, width))
    }

    @Sendable private static func join(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        let values = try arguments.bind("d", "attribute", to: "join")
        let separator = try evaluator.text(values[0] ?? .string("")).scalars
        let path = try values[1].map { (path) throws(Failure) in try AttributePath(path) }
        var result: [Unicode.Scalar] = []
        for (index, element) in try evaluator.elements(of: value).enumerated() {
            let text = try evaluator.text(try path?.value(in: element, evaluator) ?? element).scalars
            try evaluator.fuel.charge(separator.count + text.count)
            try evaluator.fuel.charge(elements: 1)
            if index > 0 { result += separator }
            result += text
        }
        return .string(result)
    }

    @Sendable private static func center(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        let width = try arguments.bind("width", to: "center")[0] ?? .integer(80)
        return try StringMethods.center(
            try evaluator.text(value), Arguments(positional: [width]), evaluator)
    }

    @Sendable private static func truncate(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        let values = try arguments.bind("length", "killwords", "end", "leeway", to: "truncate")
        let length = try values[0].integer(of: "truncate", default: 255)
        let end = try values[2].string(of: "truncate") ?? "..."
        let leeway = try values[3].integer(of: "truncate", default: 5)
        guard length >= end.count, leeway >= 0 else {
            throw Failure("truncate expects a length of at least \(end.count) and a leeway of at least 0")
        }
        guard case .string(let text) = value else {
            guard try evaluator.count(of: value) - leeway <= length else { throw Failure("truncate expects a string") }
            return value
        }
        if text.count <= length || text.count - length <= leeway { return .string(text) }
        var kept = text.scalars.prefix(length - end.count)
        if !values[1].isTrue, let space = kept.lastIndex(of: " ") { kept = kept.prefix(upTo: space) }
        return .string(text.with(kept + end.scalars))
    }

    @Sendable private static func format(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        guard arguments.positional.isEmpty || arguments.keywords.isEmpty else {
            throw Failure("can't handle positional and keyword arguments at the same time")
        }
        let values =
            arguments.keywords.isEmpty
            ? try Value.tuple(arguments.positional, evaluator.fuel)
            : try Global.dictionary.call(arguments, evaluator)
        return .string(try PercentFormat(fuel: evaluator.fuel).format(try evaluator.text(value), values))
    }

    @Sendable private static func wordCount(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        _ = try arguments.bind(to: "wordcount")
        let words = try paidText(of: value, evaluator).scalars.split {
            !($0 == "_" || $0.properties.isAlphabetic || $0.properties.numericType != nil)
        }
        return .integer(words.count)
    }

    /// `json.dumps` with the parameters that transformers passes on.
    @Sendable private static func json(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        let values = try arguments.bind(
            "ensure_ascii", "indent", "separators", "sort_keys", to: "tojson")
        var writer = JSONWriter(fuel: evaluator.fuel)
        writer.escapesNonASCII = values[0].isTrue
        writer.sortsKeys = values[3].isTrue
        if let indentation = values[1], !indentation.isNone {
            writer.indentation = try Self.indentation(indentation, evaluator)
            writer.itemSeparator = [","]
        }
        if let separators = values[2], !separators.isNone {
            let pair = try evaluator.elements(of: separators)
            guard pair.count == 2, case .string(let item) = pair[0], case .string(let key) = pair[1] else {
                throw Failure("the separators of tojson are a pair of strings")
            }
            writer.itemSeparator = item.scalars
            writer.keySeparator = key.scalars
        }
        try writer.append(value)
        return .string(writer.output)
    }
}

extension Value {
    var isNone: Bool { if case .none = self { true } else { false } }
}

extension PythonString {
    /// Jinja's `title` filter: unlike `str.title`, it splits words at spaces, dashes and opening brackets only.
    fileprivate var titledForFilter: PythonString {
        var result: [Unicode.Scalar] = []
        var word: [Unicode.Scalar] = []
        func finish() {
            guard let first = word.first else { return }
            result += with([first]).uppercased.scalars + with(word.dropFirst()).lowercased.scalars
            word = []
        }
        for scalar in scalars {
            if scalar.isPythonSpace || "-({[<".unicodeScalars.contains(scalar) {
                finish()
                result.append(scalar)
            } else {
                word.append(scalar)
            }
        }
        finish()
        return with(result)
    }
}

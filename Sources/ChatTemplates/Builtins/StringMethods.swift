/// A method of Python's `str`.
typealias StringMethod = @Sendable (PythonString, Arguments, Evaluator) throws(Failure) -> Value

/// The methods of Python's `str`.
enum StringMethods {
    static let all: [String: StringMethod] = transformations.merging(predicates) { first, _ in first }
        .merging(searches) { first, _ in first }
        .merging(layouts) { first, _ in first }

    /// Pays for a pass over the string before a method without arguments runs.
    private static func simple(_ method: @escaping @Sendable (PythonString) -> Value) -> StringMethod {
        { (string, arguments, evaluator) throws(Failure) in
            _ = try arguments.bind(to: "this method")
            try evaluator.fuel.charge(propertiesOf: string)
            return method(string)
        }
    }

    private static let transformations: [String: StringMethod] = [
        "upper": simple { .string($0.uppercased) },
        "lower": simple { .string($0.lowercased) },
        "casefold": simple { .string($0.lowercased) },
        "capitalize": simple { .string($0.capitalized) },
        "title": simple { .string($0.titled) },
        "swapcase": simple { .string($0.caseSwapped) },
        "strip": strip,
        "lstrip": { (string, arguments, evaluator) throws(Failure) in
            try strip(string, arguments, evaluator, trailing: false)
        },
        "rstrip": { (string, arguments, evaluator) throws(Failure) in
            try strip(string, arguments, evaluator, leading: false)
        },
        "replace": replace,
        "removeprefix": { (string, arguments, evaluator) throws(Failure) in
            let prefix = try text(arguments, "prefix", "removeprefix", evaluator, string)
            return .string(
                string.scalars.starts(with: prefix) ? string.with(string.scalars.dropFirst(prefix.count)) : string)
        },
        "removesuffix": { (string, arguments, evaluator) throws(Failure) in
            let suffix = try text(arguments, "suffix", "removesuffix", evaluator, string)
            let isFound = string.scalars.reversed().starts(with: suffix.reversed())
            return .string(isFound ? string.with(string.scalars.dropLast(suffix.count)) : string)
        },
        "join": join,
        "format": { (string, arguments, evaluator) throws(Failure) in
            .string(try BraceFormat(evaluator: evaluator).format(string, arguments))
        },
    ]

    private static let predicates: [String: StringMethod] = [
        "isupper": simple { .bool($0.isUpper) },
        "islower": simple { .bool($0.isLower) },
        "isspace": all(\.isPythonSpace),
        "isdigit": all { $0.properties.numericType == .decimal || $0.properties.numericType == .digit },
        "isdecimal": all { $0.properties.numericType == .decimal },
        "isnumeric": all { $0.properties.numericType != nil },
        "isalpha": all(\.isPythonLetter),
        "isalnum": all { $0.isPythonLetter || $0.properties.numericType != nil },
        "isascii": simple { .bool($0.scalars.allSatisfy(\.isASCII)) },
        "isprintable": simple { .bool($0.scalars.allSatisfy(\.isPythonPrintable)) },
        "isidentifier": simple { string in
            let isSound = string.scalars.dropFirst().allSatisfy(\.properties.isXIDContinue)
            return .bool(isSound && string.scalars.first.map { $0 == "_" || $0.properties.isXIDStart } ?? false)
        },
    ]

    /// A predicate that holds if the string is not empty and each scalar meets a condition.
    private static func all(_ holds: @escaping @Sendable (Unicode.Scalar) -> Bool) -> StringMethod {
        simple { .bool(!$0.isEmpty && $0.scalars.allSatisfy(holds)) }
    }

    /// The scalars of a string that a method requires, paid for together with the method's own string.
    static func text(
        _ arguments: Arguments, _ parameter: String, _ method: String, _ evaluator: Evaluator,
        _ string: PythonString
    ) throws(Failure) -> [Unicode.Scalar] {
        guard let value = try arguments.bind(parameter, to: method, required: 1)[0].string(of: method) else {
            throw Failure("\(method) expects a string")
        }
        try evaluator.fuel.charge(string.count + value.count)
        return value.scalars
    }

    @Sendable static func strip(
        _ string: PythonString, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        try strip(string, arguments, evaluator, leading: true)
    }

    private static func strip(
        _ string: PythonString, _ arguments: Arguments, _ evaluator: Evaluator, leading: Bool = true,
        trailing: Bool = true
    ) throws(Failure) -> Value {
        let characters = try arguments.bind("chars", to: "strip")[0].string(of: "strip")
        try evaluator.fuel.charge(string.count)
        guard let characters else {
            return .string(string.stripped(leading: leading, trailing: trailing, \.isPythonSpace))
        }
        try evaluator.fuel.charge(characters.count)
        let set = Set(characters.scalars)
        return .string(string.stripped(leading: leading, trailing: trailing, set.contains))
    }

    @Sendable static func replace(
        _ string: PythonString, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        let values = try arguments.bind("old", "new", "count", to: "replace", required: 2)
        guard let old = try values[0].string(of: "replace"), let new = try values[1].string(of: "replace") else {
            throw Failure("replace expects strings")
        }
        let count = try values[2].integer(of: "replace", default: -1)
        let limit = count < 0 ? Int.max : count
        try evaluator.fuel.charge(string.count + old.count)
        let found =
            old.isEmpty ? Array((0...string.count).prefix(limit)) : string.indices(of: old.scalars, limit: limit)
        let (growth, overflow) = found.count.multipliedReportingOverflow(by: new.count)
        try evaluator.fuel.charge(overflow ? Int.max : growth)
        var result: [Unicode.Scalar] = []
        var position = 0
        for index in found {
            result += string.scalars[position..<index] + new.scalars
            position = index + old.count
        }
        return .string(string.with(result + string.scalars[position...]))
    }

    @Sendable private static func join(
        _ string: PythonString, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        let elements = try evaluator.elements(of: try arguments.bind("iterable", to: "join", required: 1)[0] ?? .none)
        var result: [Unicode.Scalar] = []
        for (index, element) in elements.enumerated() {
            guard case .string(let part) = element else {
                throw Failure("sequence item \(index): expected str instance, \(element.typeName) found")
            }
            try evaluator.fuel.charge(string.count + part.count + 1)
            if index > 0 { result += string.scalars }
            result += part.scalars
        }
        return .string(string.with(result))
    }
}

extension Unicode.Scalar {
    /// Python's `str.isalpha` of one character.
    fileprivate var isPythonLetter: Bool {
        switch properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
        default: false
        }
    }
}

internal import ModelFiles
internal import OrderedCollections

/// The functions that every template can call.
enum Global: String, CaseIterable {
    case range
    case namespace
    case dictionary = "dict"
    case raiseException = "raise_exception"
    case currentTime = "strftime_now"

    /// The functions by name, as variables.
    static var variables: [String: Value] {
        Dictionary(uniqueKeysWithValues: allCases.map { ($0.rawValue, .function(.global($0))) })
    }

    func call(_ arguments: Arguments, _ evaluator: Evaluator) throws(Failure) -> Value {
        switch self {
        case .range: try Self.range(arguments, evaluator)
        case .namespace: try Self.namespace(arguments, evaluator)
        case .dictionary: .dictionary(try Self.dictionary(arguments, evaluator))
        case .raiseException: throw try Self.exception(arguments, evaluator)
        case .currentTime: try Self.currentTime(arguments, evaluator)
        }
    }

    private static func range(_ arguments: Arguments, _ evaluator: Evaluator) throws(Failure) -> Value {
        let values = try arguments.bind("start", "stop", "step", to: "range", required: 1)
        let first = try values[0].integer(of: "range", default: 0)
        let start = values[1] == nil ? 0 : first
        let end = try values[1].integer(of: "range", default: first)
        let step = try values[2].integer(of: "range", default: 1)
        guard step != 0 else { throw Failure("range() arg 3 must not be zero") }
        let (distance, overflow) =
            step > 0 ? end.subtractingReportingOverflow(start) : start.subtractingReportingOverflow(end)
        // The magnitude of the smallest step does not fit an `Int`.
        let count = distance > 0 ? (distance.magnitude - 1) / step.magnitude + 1 : 0
        guard !overflow, count <= TemplateLimits.rangeCount else {
            throw Failure(
                .limit, "Range too big. The sandbox blocks ranges larger than MAX_RANGE (\(TemplateLimits.rangeCount))."
            )
        }
        let elements = stride(from: start, to: end, by: step).map { Value.integer($0) }
        return .sequence(try PythonSequence(.range, elements, evaluator.fuel))
    }

    private static func namespace(_ arguments: Arguments, _ evaluator: Evaluator) throws(Failure) -> Value {
        var attributes: OrderedDictionary<PythonString, Value> = [:]
        for (key, value) in try dictionary(arguments, evaluator).members {
            guard case .string(let name) = key else { throw Failure("the attributes of a namespace need names") }
            attributes[name] = value
        }
        return .namespace(evaluator.makeNamespace(attributes))
    }

    /// `dict(mapping or pairs, name=value, …)`.
    private static func dictionary(
        _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> PythonDictionary {
        guard arguments.positional.count <= 1 else { throw Failure("dict takes at most 1 positional argument") }
        var members: OrderedDictionary<DictionaryKey, Value> = [:]
        if let base = arguments.positional.first {
            if case .dictionary(let dictionary) = base {
                try evaluator.fuel.charge(elements: dictionary.members.count)
                members = dictionary.members
            } else {
                for pair in try evaluator.elements(of: base) {
                    let pair = try evaluator.elements(of: pair)
                    guard pair.count == 2 else { throw Failure("dict expects pairs of a key and a value") }
                    members[try DictionaryKey(pair[0], fuel: evaluator.fuel)] = pair[1]
                    try evaluator.fuel.charge(elements: 1)
                }
            }
        }
        for (name, value) in arguments.keywords { members[.string(PythonString(name))] = value }
        return try PythonDictionary(members, evaluator.fuel)
    }

    private static func exception(_ arguments: Arguments, _ evaluator: Evaluator) throws(Failure) -> Failure {
        let message = try arguments.bind("message", to: "raise_exception", required: 1)[0] ?? .none
        return Failure(.raised, PythonString(try evaluator.text(message).scalars.prefix(messageLength)).text)
    }

    /// The longest message that a template may raise, in characters.
    private static let messageLength = 2_000

    private static func currentTime(_ arguments: Arguments, _ evaluator: Evaluator) throws(Failure) -> Value {
        let values = try arguments.bind("format", to: "strftime_now", required: 1)
        guard let format = try values[0].string(of: "strftime_now") else {
            throw Failure("strftime_now expects a string")
        }
        try evaluator.fuel.chargeForFormatting()
        return .string(try evaluator.now().formatted(format.text))
    }
}

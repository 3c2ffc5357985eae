internal import ModelFiles

extension Filters {
    static let selectionFilters: [String: Filter] = [
        "map": map,
        "select": { (value, arguments, evaluator) throws(Failure) in
            try select(value, arguments, evaluator, keeps: true)
        },
        "reject": { (value, arguments, evaluator) throws(Failure) in
            try select(value, arguments, evaluator, keeps: false)
        },
        "selectattr": { (value, arguments, evaluator) throws(Failure) in
            try selectByAttribute(value, arguments, evaluator, keeps: true)
        },
        "rejectattr": { (value, arguments, evaluator) throws(Failure) in
            try selectByAttribute(value, arguments, evaluator, keeps: false)
        },
    ]

    /// `map(attribute='a.b', default=…)` or `map('filter', …)`.
    @Sendable private static func map(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        guard value.isTrue else { return .generator(try Generator([], evaluator.fuel)) }
        let elements = try evaluator.elements(of: value)
        let transform = try transform(arguments, evaluator)
        return .generator(
            try Generator(
                try elements.map { (element) throws(Failure) in
                    try evaluator.fuel.step()
                    return try transform(element)
                }, evaluator.fuel))
    }

    private typealias Transform = (Value) throws(Failure) -> Value

    private static func transform(_ arguments: Arguments, _ evaluator: Evaluator) throws(Failure) -> Transform {
        if arguments.positional.isEmpty, arguments.keywords.contains(where: { $0.name == "attribute" }) {
            let values = try arguments.bind("attribute", "default", to: "map")
            let path = try AttributePath(values[0] ?? .none)
            let fallback = values[1].flatMap { $0.isNone ? nil : $0 }
            return { (element) throws(Failure) in try path.value(in: element, evaluator, default: fallback) }
        }
        var rest = arguments
        guard !rest.positional.isEmpty else { throw Failure("map requires a filter argument") }
        let name = try evaluator.text(rest.positional.removeFirst()).text
        guard let filter = all[name] else { throw Failure("no filter named \(name.quotedForMessage)") }
        return { [rest] (element) throws(Failure) in try filter(element, rest, evaluator) }
    }

    /// Elements that pass a test, or that are true if none is named.
    private static func select(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator, path: AttributePath? = nil, keeps: Bool
    ) throws(Failure) -> Value {
        guard value.isTrue else { return .generator(try Generator([], evaluator.fuel)) }
        var rest = arguments
        var test: Test?
        if !rest.positional.isEmpty {
            let name = try evaluator.text(rest.positional.removeFirst()).text
            test = Tests.all[name]
            guard test != nil else { throw Failure("no test named \(name.quotedForMessage)") }
        }
        var kept: [Value] = []
        for element in try evaluator.elements(of: value) {
            try evaluator.fuel.step()
            let tested = try path?.value(in: element, evaluator) ?? element
            if try (test?(tested, rest, evaluator) ?? tested.isTrue) == keeps { kept.append(element) }
        }
        return .generator(try Generator(kept, evaluator.fuel))
    }

    private static func selectByAttribute(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator, keeps: Bool
    ) throws(Failure) -> Value {
        var rest = arguments
        guard !rest.positional.isEmpty else { throw Failure("Missing parameter for attribute name") }
        let path = try AttributePath(rest.positional.removeFirst())
        return try select(value, rest, evaluator, path: path, keeps: keeps)
    }
}

internal import OrderedCollections

extension Filters {
    static let sequenceFilters: [String: Filter] = [
        "length": length, "count": length, "first": first, "last": last, "list": list, "reverse": reverse,
        "sort": sort, "dictsort": sortDictionary, "unique": unique, "items": items, "sum": sum,
        "min": { (value, arguments, evaluator) throws(Failure) in
            try extreme("min", value, arguments, evaluator)
        },
        "max": { (value, arguments, evaluator) throws(Failure) in
            try extreme("max", value, arguments, evaluator)
        },
        "batch": batch, "slice": slice,
    ]

    @Sendable private static func length(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        _ = try arguments.bind(to: "length")
        return .integer(try evaluator.count(of: value))
    }

    @Sendable private static func first(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        _ = try arguments.bind(to: "first")
        let element: Value?
        switch value {
        case .generator(let generator): element = generator.next()
        case .string(let string): element = string.scalars.first.map { .string([$0]) }
        default: element = try evaluator.elements(of: value).first
        }
        return element ?? .undefined(.hint("No first item, sequence was empty."))
    }

    @Sendable private static func last(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        _ = try arguments.bind(to: "last")
        if case .generator = value { throw Failure("'generator' object is not reversible") }
        if case .string(let string) = value, let last = string.scalars.last { return .string([last]) }
        return try evaluator.elements(of: value).last ?? .undefined(.hint("No last item, sequence was empty."))
    }

    @Sendable private static func list(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        _ = try arguments.bind(to: "list")
        return try .list(try evaluator.elements(of: value), evaluator.fuel)
    }

    @Sendable private static func reverse(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        _ = try arguments.bind(to: "reverse")
        if case .string(let string) = value {
            try evaluator.fuel.charge(string.count)
            return .string(string.with(string.scalars.reversed()))
        }
        let elements = try evaluator.elements(of: value)
        if case .generator = value { return try .list(elements.reversed(), evaluator.fuel) }
        return .generator(try Generator(elements.reversed(), evaluator.fuel))
    }

    // MARK: Order

    /// A key to sort or compare by: the value, or what is at its paths, in lower case unless case matters.
    private struct SortKey {
        let paths: [AttributePath]
        let ignoresCase: Bool
        /// Whether the key is a list of what is at the paths, even if there is one path or none.
        let isList: Bool

        init(_ attribute: Value?, isCaseSensitive: Value?, isList: Bool = false) throws(Failure) {
            ignoresCase = !isCaseSensitive.isTrue
            self.isList = isList
            guard let attribute, !attribute.isNone else {
                paths = []
                return
            }
            if isList, case .string(let string) = attribute {
                let names = string.scalars.split(separator: ",", omittingEmptySubsequences: false)
                paths = try names.map { (name) throws(Failure) in try AttributePath(.string(Array(name))) }
            } else {
                paths = [try AttributePath(attribute)]
            }
        }

        func key(of value: Value, _ evaluator: Evaluator) throws(Failure) -> Value {
            guard isList else { return try folded(try paths.first?.value(in: value, evaluator) ?? value, evaluator) }
            if paths.isEmpty { return try .list([try folded(value, evaluator)], evaluator.fuel) }
            return try .list(
                try paths.map { (path) throws(Failure) in
                    try folded(try path.value(in: value, evaluator), evaluator)
                }, evaluator.fuel)
        }

        private func folded(_ value: Value, _ evaluator: Evaluator) throws(Failure) -> Value {
            guard ignoresCase, case .string(let string) = value else { return value }
            try evaluator.fuel.charge(propertiesOf: string)
            return .string(string.lowercased)
        }

        func sorted(
            _ elements: [Value], isDescending: Bool, _ evaluator: Evaluator, key: (Value) -> Value = { $0 }
        ) throws(Failure) -> Value {
            var keyed: [(key: Value, element: Value)] = []
            for element in elements { keyed.append((try self.key(of: key(element), evaluator), element)) }
            let sorted = try Comparison(fuel: evaluator.fuel).sorted(keyed, isDescending: isDescending)
            return try .list(sorted.map(\.element), evaluator.fuel)
        }
    }

    @Sendable private static func sort(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        let values = try arguments.bind("reverse", "case_sensitive", "attribute", to: "sort")
        let key = try SortKey(values[2], isCaseSensitive: values[1], isList: true)
        return try key.sorted(try evaluator.elements(of: value), isDescending: values[0].isTrue, evaluator)
    }

    @Sendable private static func sortDictionary(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        let values = try arguments.bind("case_sensitive", "by", "reverse", to: "dictsort")
        guard case .dictionary(let dictionary) = value else {
            throw Failure("dictsort expects a mapping, not '\(value.typeName)'")
        }
        let field = try values[1].string(of: "dictsort") ?? "key"
        guard field == "key" || field == "value" else {
            throw Failure("You can only sort by either \"key\" or \"value\"")
        }
        let path: Value = .integer(field == "key" ? 0 : 1)
        let key = try SortKey(path, isCaseSensitive: values[0])
        return try key.sorted(
            try pairs(of: dictionary, evaluator), isDescending: values[2].isTrue, evaluator)
    }

    @Sendable private static func items(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        _ = try arguments.bind(to: "items")
        if value.isUndefined { return .generator(try Generator([], evaluator.fuel)) }
        guard case .dictionary(let dictionary) = value else {
            throw Failure("Can only get item pairs from a mapping.")
        }
        return .generator(try Generator(try pairs(of: dictionary, evaluator), evaluator.fuel))
    }

    /// The members of a dictionary as tuples.
    static func pairs(of dictionary: PythonDictionary, _ evaluator: Evaluator) throws(Failure) -> [Value] {
        try evaluator.fuel.charge(elements: dictionary.members.count)
        var pairs: [Value] = []
        for (key, value) in dictionary.members { pairs.append(try .tuple([key.value, value], evaluator.fuel)) }
        return pairs
    }

    @Sendable private static func unique(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        let values = try arguments.bind("case_sensitive", "attribute", to: "unique")
        let key = try SortKey(values[1], isCaseSensitive: values[0])
        var seen: Set<DictionaryKey> = []
        var kept: [Value] = []
        for element in try evaluator.elements(of: value) {
            try evaluator.fuel.charge(elements: 4)
            let key = try DictionaryKey(try key.key(of: element, evaluator), fuel: evaluator.fuel)
            if seen.insert(key).inserted { kept.append(element) }
        }
        return .generator(try Generator(kept, evaluator.fuel))
    }

    private static func extreme(
        _ name: String, _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        let values = try arguments.bind("case_sensitive", "attribute", to: name)
        let sortKey = try SortKey(values[1], isCaseSensitive: values[0])
        let comparison = Comparison(fuel: evaluator.fuel)
        var best: (key: Value, element: Value)?
        for element in try evaluator.elements(of: value) {
            try evaluator.fuel.charge(elements: 1)
            let key = try sortKey.key(of: element, evaluator)
            if let current = best {
                let isBetter =
                    try name == "min"
                    ? comparison.isLess(key, current.key) : comparison.isLess(current.key, key, symbol: ">")
                guard isBetter else { continue }
            }
            best = (key, element)
        }
        return best?.element ?? .undefined(.hint("No aggregated item, sequence was empty."))
    }

    @Sendable private static func sum(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        let values = try arguments.bind("attribute", "start", to: "sum")
        let path = try values[0].flatMap { (path) throws(Failure) in path.isNone ? nil : try AttributePath(path) }
        var total = values[1] ?? .integer(0)
        if case .string = total { throw Failure("sum() can't sum strings [use ''.join(seq) instead]") }
        for element in try evaluator.elements(of: value) {
            try evaluator.fuel.step()
            let term = try path?.value(in: element, evaluator) ?? element
            total = try Arithmetic(fuel: evaluator.fuel).apply(.add, total, term)
        }
        return total
    }

    // MARK: Groups

    @Sendable private static func batch(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        let values = try arguments.bind("linecount", "fill_with", to: "batch", required: 1)
        let size = try values[0].integer(of: "batch", default: 1)
        guard size > 0 else { throw Failure("batch expects a size above 0") }
        let elements = try evaluator.elements(of: value)
        try evaluator.fuel.charge(elements: elements.count)
        var groups: [Value] = []
        var start = 0
        while start < elements.count {
            let end = size < elements.count - start ? start + size : elements.count
            var group = Array(elements[start..<end])
            if let filling = values[1], !filling.isNone {
                try evaluator.fuel.charge(elements: size - group.count)
                group += Array(repeating: filling, count: size - group.count)
            }
            groups.append(try .list(group, evaluator.fuel))
            start = end
        }
        return .generator(try Generator(groups, evaluator.fuel))
    }

    @Sendable private static func slice(
        _ value: Value, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        let values = try arguments.bind("slices", "fill_with", to: "slice", required: 1)
        let count = try values[0].integer(of: "slice", default: 1)
        guard count > 0 else { throw Failure("slice expects a number above 0") }
        let elements = try evaluator.elements(of: value)
        try evaluator.fuel.charge(elements: elements.count)
        try evaluator.fuel.charge(elements: count)
        let (size, longer) = elements.count.quotientAndRemainder(dividingBy: count)
        var groups: [Value] = []
        var start = 0
        for index in 0..<count {
            let end = start + size + (index < longer ? 1 : 0)
            var group = Array(elements[start..<end])
            if let filling = values[1], !filling.isNone, index >= longer { group.append(filling) }
            groups.append(try .list(group, evaluator.fuel))
            start = end
        }
        return .generator(try Generator(groups, evaluator.fuel))
    }
}

internal import ModelFiles
internal import OrderedCollections

/// The methods of Python's `dict`.
enum DictionaryMethods {
    static let names: Set<String> = ["get", "items", "keys", "values", "copy"]
    /// Methods that change the dictionary, which the sandbox does not give out.
    static let mutating: Set<String> = ["clear", "pop", "popitem", "setdefault", "update"]

    static func call(
        _ name: String, of dictionary: PythonDictionary, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        if name == "get" {
            let values = try arguments.bind("key", "default", to: "get", required: 1)
            let key = try DictionaryKey(values[0] ?? .none, fuel: evaluator.fuel)
            return dictionary.members[key] ?? values[1] ?? .none
        }
        _ = try arguments.bind(to: name)
        switch name {
        case "items":
            return .sequence(try PythonSequence(.items, try Filters.pairs(of: dictionary, evaluator), evaluator.fuel))
        case "keys": return .sequence(try PythonSequence(.keys, dictionary.members.keys.map(\.value), evaluator.fuel))
        case "values": return .sequence(try PythonSequence(.values, Array(dictionary.members.values), evaluator.fuel))
        default: return .dictionary(dictionary)
        }
    }
}

/// The methods of Python's `list` and `tuple`.
enum SequenceMethods {
    static let names: Set<String> = ["index", "count", "copy"]
    /// Methods that change the list, which the sandbox does not give out.
    static let mutating: Set<String> = [
        "append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort",
    ]

    static func call(
        _ name: String, of sequence: PythonSequence, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        if name == "copy" {
            _ = try arguments.bind(to: name)
            return .sequence(sequence)
        }
        let value = try arguments.bind("value", to: name, required: 1)[0] ?? .none
        let comparison = Comparison(fuel: evaluator.fuel)
        var count = 0
        for (index, element) in sequence.elements.enumerated() {
            try evaluator.fuel.charge(elements: 1)
            guard try comparison.areEqual(element, value) else { continue }
            if name == "index" { return .integer(index) }
            count += 1
        }
        guard name == "count" else { throw Failure("the value is not in the \(sequence.kind.rawValue)") }
        return .integer(count)
    }
}

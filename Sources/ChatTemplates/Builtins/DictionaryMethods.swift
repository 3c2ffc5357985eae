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

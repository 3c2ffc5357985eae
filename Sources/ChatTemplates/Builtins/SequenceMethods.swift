/// The methods of Python's `list` and `tuple`.
enum SequenceMethods {
    static func exists(_ name: String, in kind: PythonSequence.Kind) -> Bool {
        switch name {
        case "index", "count": kind == .list || kind == .tuple || kind == .range
        case "copy": kind == .list
        default: false
        }
    }

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

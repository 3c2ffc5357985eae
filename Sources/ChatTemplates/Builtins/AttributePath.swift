/// `a.b.0`: the attributes and indices that filters such as `map(attribute=…)` follow.
struct AttributePath {
    private let parts: [Value]

    init(_ path: Value) throws(Failure) {
        switch path {
        case .string(let string):
            parts = string.scalars.split(separator: ".", omittingEmptySubsequences: false).map { part in
                let isIndex = !part.isEmpty && part.allSatisfy { ("0"..."9").contains($0) }
                let index = isIndex ? Int(PythonString(part).text) : nil
                return index.map(Value.integer) ?? .string(PythonString(part))
            }
        case .integer, .bool: parts = [path]
        case .undefined(let undefined): throw undefined.failure
        default: throw Failure("an attribute is a string or an integer, not '\(path.typeName)'")
        }
    }

    /// The value at the path, or the default where there is none.
    func value(in root: Value, _ evaluator: Evaluator, default fallback: Value? = nil) throws(Failure) -> Value {
        var value = root
        for part in parts {
            try evaluator.fuel.step()
            value = try evaluator.item(part, of: value)
            if value.isUndefined, let fallback { value = fallback }
        }
        return value
    }
}

internal import ModelFiles
internal import OrderedCollections

extension Value {
    /// The Python value of a JSON value.
    init(_ json: JSON, _ fuel: Fuel) throws(Failure) { try self.init(json, fuel, depth: 0) }

    private init(_ json: JSON, _ fuel: Fuel, depth: Int) throws(Failure) {
        guard depth < TemplateLimits.valueDepth else {
            throw Failure(.limit, "the context is nested deeper than \(TemplateLimits.valueDepth)")
        }
        switch json {
        case .null: self = .none
        case .bool(let value): self = .bool(value)
        case .integer(let value): self = .integer(value)
        case .number(let value): self = .float(value)
        case .string(let value): self = .string(value)
        case .array(let elements):
            self = try .list(
                try elements.map { (element) throws(Failure) in try Value(element, fuel, depth: depth + 1) }, fuel)
        case .object(let object):
            var members = OrderedDictionary<DictionaryKey, Value>(minimumCapacity: object.count)
            for (key, value) in object {
                members[.string(PythonString(key))] = try Value(value, fuel, depth: depth + 1)
            }
            self = .dictionary(try PythonDictionary(members, fuel))
        }
    }
}

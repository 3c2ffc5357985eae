/// A Python list, tuple, range or view of a dictionary.
struct PythonSequence {
    /// The Python type, by its name.
    enum Kind: String {
        case list, tuple, range
        case keys = "dict_keys"
        case values = "dict_values"
        case items = "dict_items"
    }

    let kind: Kind
    let elements: [Value]
    let depth: Int

    init(_ kind: Kind, _ elements: [Value], _ fuel: Fuel) throws(Failure) {
        self.kind = kind
        self.elements = elements
        depth = try containerDepth(of: elements, fuel)
    }

    /// Whether `[index]` works.
    var isIndexable: Bool { kind == .list || kind == .tuple || kind == .range }
}

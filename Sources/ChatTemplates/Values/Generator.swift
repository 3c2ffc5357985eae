/// What a filter such as `map` returns: its elements can be taken once.
final class Generator {
    let depth: Int
    private var elements: ArraySlice<Value>

    init(_ elements: [Value], _ fuel: Fuel) throws(Failure) {
        self.elements = elements[...]
        depth = try containerDepth(of: elements, fuel)
    }

    func next() -> Value? { elements.popFirst() }

    func takeAll() -> [Value] {
        defer { elements = [] }
        return Array(elements)
    }
}

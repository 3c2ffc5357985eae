internal import OrderedCollections

/// A Python dictionary, in the order of insertion.
struct PythonDictionary {
    let members: OrderedDictionary<DictionaryKey, Value>
    let depth: Int

    init(_ members: OrderedDictionary<DictionaryKey, Value>, _ fuel: Fuel) throws(Failure) {
        self.members = members
        depth = try containerDepth(of: members.values, fuel)
    }
}

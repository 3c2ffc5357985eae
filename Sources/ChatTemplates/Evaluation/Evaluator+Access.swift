internal import OrderedCollections

extension Evaluator {
    /// `value.name`: an attribute, or else an item, in the order of Jinja.
    func attribute(_ name: AttributeName, of value: Value) throws(Failure) -> Value {
        if let own = try ownAttribute(name, of: value) { return own }
        let name = name.string
        if case .dictionary(let dictionary) = value, let member = dictionary.members[.string(name)] { return member }
        return .undefined(.attribute(name, of: value))
    }

    /// `value[key]`: an item, or else an attribute, in the order of Jinja.
    func item(_ key: Value, of value: Value) throws(Failure) -> Value {
        switch value {
        case .undefined(let undefined): throw undefined.failure
        case .dictionary(let dictionary):
            // A key that cannot be one is not found either: Jinja catches the error.
            if let key = try DictionaryKey(hashing: key, fuel: fuel), let member = dictionary.members[key] {
                return member
            }
        case .sequence(let sequence) where sequence.isIndexable:
            if let index = resolve(key, count: sequence.elements.count) { return sequence.elements[index] }
        case .string(let string):
            if let index = resolve(key, count: string.count) {
                return .string(string.with([string.scalars[index]]))
            }
        default: break
        }
        guard case .string(let name) = key else { return .undefined(.element(key, of: value)) }
        return try ownAttribute(name, of: value) ?? .undefined(.attribute(name, of: value))
    }

    /// An attribute of the Python object by a name that the template has computed.
    func ownAttribute(_ name: PythonString, of value: Value) throws(Failure) -> Value? {
        try fuel.charge(name.count)
        return try ownAttribute(AttributeName(name), of: value)
    }

    /// The offset for an index, which counts from the end if it is negative.
    private func resolve(_ key: Value, count: Int) -> Int? {
        guard let index = key.integer, index < count, index >= -count else { return nil }
        return index < 0 ? index + count : index
    }

    /// An attribute of the Python object, nil if it has none of this name.
    private func ownAttribute(_ attribute: AttributeName, of value: Value) throws(Failure) -> Value? {
        let (text, name) = (attribute.text, attribute.string)
        switch value {
        case .undefined(let undefined): throw undefined.failure
        case .namespace(let namespace): return namespace.attributes[name]
        case .loop(let loop): return self.attribute(text, of: loop)
        case .function(.macro(let macro)): return try self.attribute(text, of: macro)
        case .string: return method(text, name, of: value, in: StringMethods.all[text] != nil)
        case .dictionary:
            if DictionaryMethods.mutating.contains(text) { return .undefined(.unsafe(name, of: value)) }
            return method(text, name, of: value, in: DictionaryMethods.names.contains(text))
        case .sequence(let sequence):
            if sequence.kind == .list, SequenceMethods.mutating.contains(text) {
                return .undefined(.unsafe(name, of: value))
            }
            return method(text, name, of: value, in: SequenceMethods.exists(text, in: sequence.kind))
        default: return method(text, name, of: value, in: false)
        }
    }

    private func method(_ text: String, _ name: PythonString, of value: Value, in exists: Bool) -> Value? {
        // What Python keeps between double underscores, the sandbox does not give out.
        if text.hasPrefix("__"), text.hasSuffix("__") { return .undefined(.unsafe(name, of: value)) }
        return exists ? .function(.method(receiver: value, name: text)) : nil
    }

    private func attribute(_ name: String, of macro: Macro) throws(Failure) -> Value? {
        switch name {
        case "name": return .string(macro.definition.name)
        case "arguments": return try .tuple(macro.definition.parameters.map { .string($0.name) }, fuel)
        default: return nil
        }
    }

    private func attribute(_ name: String, of loop: LoopState) -> Value? {
        let count = loop.items.count
        switch name {
        case "index": return .integer(loop.index + 1)
        case "index0": return .integer(loop.index)
        case "revindex": return .integer(count - loop.index)
        case "revindex0": return .integer(count - loop.index - 1)
        case "first": return .bool(loop.index == 0)
        case "last": return .bool(loop.index == count - 1)
        case "length": return .integer(count)
        case "depth": return .integer(loop.depth + 1)
        case "depth0": return .integer(loop.depth)
        case "previtem":
            return loop.index > 0 ? loop.items[loop.index - 1] : .undefined(.hint("there is no previous item"))
        case "nextitem":
            return loop.index < count - 1 ? loop.items[loop.index + 1] : .undefined(.hint("there is no next item"))
        case "cycle", "changed": return .function(.method(receiver: .loop(loop), name: name))
        default: return nil
        }
    }

    // MARK: Iteration

    /// What a for loop over a value runs through.
    func elements(of value: Value) throws(Failure) -> [Value] {
        switch value {
        case .undefined: return []
        case .sequence(let sequence): return sequence.elements
        case .generator(let generator): return generator.takeAll()
        case .dictionary(let dictionary):
            try fuel.charge(elements: dictionary.members.count)
            return dictionary.members.keys.map(\.value)
        case .string(let string):
            try fuel.charge(elements: string.count)
            return string.scalars.map { .string([$0]) }
        default: throw Failure("'\(value.typeName)' object is not iterable")
        }
    }

    /// Python's `len(value)`.
    func count(of value: Value) throws(Failure) -> Int {
        switch value {
        case .undefined: return 0
        case .sequence(let sequence): return sequence.elements.count
        case .dictionary(let dictionary): return dictionary.members.count
        case .string(let string): return string.count
        case .loop(let loop): return loop.items.count
        default: throw Failure("object of type '\(value.typeName)' has no len()")
        }
    }
}

internal import OrderedCollections

/// Python's comparisons, paid for by what they read.
struct Comparison {
    let fuel: Fuel

    func holds(_ left: Value, _ symbol: BinaryOperator, _ right: Value) throws(Failure) -> Bool {
        switch symbol {
        case .equal: try areEqual(left, right)
        case .notEqual: try !areEqual(left, right)
        case .isIn: try contains(right, left)
        case .isNotIn: try !contains(right, left)
        case .less: try isLess(left, right, symbol: "<")
        case .greater: try isLess(right, left, symbol: ">")
        case .lessOrEqual: try isLess(left, right, symbol: "<=", orEqual: true)
        default: try isLess(right, left, symbol: ">=", orEqual: true)
        }
    }

    // MARK: Equality

    func areEqual(_ left: Value, _ right: Value) throws(Failure) -> Bool {
        if let left = left.integer, let right = right.integer { return left == right }
        if let left = left.number, let right = right.number { return left == right }
        switch (left, right) {
        case (.undefined, .undefined), (.none, .none): return true
        case (.string(let left), .string(let right)):
            try fuel.charge(min(left.count, right.count))
            return left == right
        case (.sequence(let left), .sequence(let right)):
            guard left.kind == right.kind else { return false }
            return try areEqual(left.elements, right.elements)
        case (.dictionary(let left), .dictionary(let right)): return try areEqual(left, right)
        case (.generator(let left), .generator(let right)): return left === right
        case (.namespace(let left), .namespace(let right)): return left === right
        case (.loop(let left), .loop(let right)): return left === right
        case (.function(.macro(let left)), .function(.macro(let right))): return left === right
        default: return false
        }
    }

    func areEqual(_ left: [Value], _ right: [Value]) throws(Failure) -> Bool {
        guard left.count == right.count else { return false }
        for (left, right) in zip(left, right) {
            try fuel.charge(elements: 1)
            guard try areEqual(left, right) else { return false }
        }
        return true
    }

    private func areEqual(_ left: PythonDictionary, _ right: PythonDictionary) throws(Failure) -> Bool {
        guard left.members.count == right.members.count else { return false }
        for (key, value) in left.members {
            try fuel.charge(elements: 1)
            guard let other = right.members[key], try areEqual(value, other) else { return false }
        }
        return true
    }

    // MARK: Membership

    func contains(_ container: Value, _ value: Value) throws(Failure) -> Bool {
        switch container {
        case .string(let text):
            guard case .string(let part) = value else {
                throw Failure("'in <string>' requires string as left operand, not \(value.typeName)")
            }
            try fuel.charge(text.count + part.count)
            return text.firstIndex(of: part.scalars) != nil
        case .dictionary(let dictionary): return dictionary.members[try DictionaryKey(value, fuel: fuel)] != nil
        case .sequence(let sequence): return try contains(sequence.elements, value)
        case .generator(let generator): return try contains(generator.takeAll(), value)
        case .undefined: return false
        default: throw Failure("argument of type '\(container.typeName)' is not iterable")
        }
    }

    private func contains(_ elements: [Value], _ value: Value) throws(Failure) -> Bool {
        for element in elements {
            try fuel.charge(elements: 1)
            if try areEqual(element, value) { return true }
        }
        return false
    }

    // MARK: Order

    func isLess(
        _ left: Value, _ right: Value, symbol: String = "<", orEqual: Bool = false
    ) throws(Failure) -> Bool {
        if let left = left.integer, let right = right.integer { return orEqual ? left <= right : left < right }
        if let left = left.number, let right = right.number { return orEqual ? left <= right : left < right }
        switch (left, right) {
        case (.undefined(let undefined), _), (_, .undefined(let undefined)): throw undefined.failure
        case (.string(let left), .string(let right)):
            try fuel.charge(min(left.count, right.count))
            return orEqual ? left <= right : left < right
        case (.sequence(let leftSequence), .sequence(let rightSequence))
        where leftSequence.kind == rightSequence.kind && leftSequence.isIndexable && leftSequence.kind != .range:
            for (left, right) in zip(leftSequence.elements, rightSequence.elements) {
                try fuel.charge(elements: 1)
                if try !areEqual(left, right) { return try isLess(left, right, symbol: symbol, orEqual: orEqual) }
            }
            let (leftCount, rightCount) = (leftSequence.elements.count, rightSequence.elements.count)
            return orEqual ? leftCount <= rightCount : leftCount < rightCount
        default:
            // The operands of `>` come in swapped.
            let (first, second) = symbol.hasPrefix(">") ? (right, left) : (left, right)
            throw Failure(
                "'\(symbol)' not supported between instances of '\(first.typeName)' and '\(second.typeName)'")
        }
    }

    /// Sorts by a key, stably: a merge sort, as the order of Swift's own sort may not throw typed errors.
    func sorted<Element>(
        _ elements: [(key: Value, element: Element)], isDescending: Bool = false
    ) throws(Failure) -> [(key: Value, element: Element)] {
        guard elements.count > 1 else { return elements }
        let middle = elements.count / 2
        let left = try sorted(Array(elements[..<middle]), isDescending: isDescending)
        let right = try sorted(Array(elements[middle...]), isDescending: isDescending)
        try fuel.charge(elements: elements.count)
        var merged: [(key: Value, element: Element)] = []
        merged.reserveCapacity(elements.count)
        var (leftIndex, rightIndex) = (0, 0)
        while leftIndex < left.count, rightIndex < right.count {
            let (leftKey, rightKey) = (left[leftIndex].key, right[rightIndex].key)
            if try isDescending ? isLess(leftKey, rightKey) : isLess(rightKey, leftKey) {
                merged.append(right[rightIndex])
                rightIndex += 1
            } else {
                merged.append(left[leftIndex])
                leftIndex += 1
            }
        }
        return merged + left[leftIndex...] + right[rightIndex...]
    }
}

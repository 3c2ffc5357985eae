/// `[start:stop:step]` with Python's rules.
struct Slice {
    private let start: Int?
    private let stop: Int?
    private let step: Int

    init(start: Value?, stop: Value?, step: Value?) throws(Failure) {
        self.start = try Self.index(start)
        self.stop = try Self.index(stop)
        self.step = try Self.index(step) ?? 1
        guard self.step != 0 else { throw Failure("slice step cannot be zero") }
    }

    private static func index(_ value: Value?) throws(Failure) -> Int? {
        guard let value else { return nil }
        if case .none = value { return nil }
        guard let index = value.integer else {
            throw Failure("slice indices must be integers or None, not '\(value.typeName)'")
        }
        return index
    }

    func apply(to value: Value, fuel: Fuel) throws(Failure) -> Value {
        switch value {
        case .string(let string):
            let indices = indices(count: string.count)
            try fuel.charge(indices.count)
            return .string(string.with(indices.map { string.scalars[$0] }))
        case .sequence(let sequence) where sequence.isIndexable:
            let indices = indices(count: sequence.elements.count)
            return .sequence(try PythonSequence(sequence.kind, indices.map { sequence.elements[$0] }, fuel))
        case .undefined(let undefined): throw undefined.failure
        case .dictionary: throw Failure("unhashable type: 'slice'")
        default: throw Failure("'\(value.typeName)' object is not subscriptable")
        }
    }

    /// The indices that the slice picks from `count` elements; all of them are in bounds.
    private func indices(count: Int) -> LazyMapCollection<Range<Int>, Int> {
        let lowest = step > 0 ? 0 : -1
        let highest = step > 0 ? count : count - 1
        // A longer step than the count picks one element, whatever its length.
        let step = max(-count - 1, min(step, count + 1))
        let first = start.map { clamp($0, count, lowest, highest) } ?? (step > 0 ? lowest : highest)
        let end = stop.map { clamp($0, count, lowest, highest) } ?? (step > 0 ? highest : lowest)
        let distance = step > 0 ? end - first : first - end
        let picked = distance > 0 ? (distance - 1) / abs(step) + 1 : 0
        return (0..<picked).lazy.map { first + $0 * step }
    }

    private func clamp(_ index: Int, _ count: Int, _ lowest: Int, _ highest: Int) -> Int {
        index < 0 ? max(index + count, lowest) : min(index, highest)
    }
}

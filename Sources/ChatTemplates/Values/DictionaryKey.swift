/// What can be a key of a dictionary; 1, 1.0 and true are the same key, as in Python.
enum DictionaryKey: Hashable {
    case undefined
    case none
    case bool(Bool)
    case integer(Int)
    case float(Double)
    case string(PythonString)

    /// The key that a value makes, nil if it makes none; paid for, as it is going to be hashed.
    init?(hashing value: Value, fuel: Fuel) throws(Failure) {
        switch value {
        case .undefined: self = .undefined
        case .none: self = .none
        case .bool(let value): self = .bool(value)
        case .integer(let value): self = .integer(value)
        case .float(let value): self = .float(value)
        case .string(let value):
            try fuel.charge(value.count)
            self = .string(value)
        default: return nil
        }
    }

    /// The key that a value makes.
    ///
    /// - Throws: for lists and dictionaries as Python does, and for tuples, which Python hashes.
    init(_ value: Value, fuel: Fuel) throws(Failure) {
        guard let key = try DictionaryKey(hashing: value, fuel: fuel) else {
            throw Failure("unhashable type: '\(value.typeName)'")
        }
        self = key
    }

    var value: Value {
        switch self {
        case .undefined: .undefined(.hint("an undefined value was used as a key"))
        case .none: .none
        case .bool(let value): .bool(value)
        case .integer(let value): .integer(value)
        case .float(let value): .float(value)
        case .string(let value): .string(value)
        }
    }

    static func == (left: DictionaryKey, right: DictionaryKey) -> Bool {
        switch (left, right) {
        case (.none, .none), (.undefined, .undefined): true
        case (.string(let left), .string(let right)): left == right
        default:
            if let left = left.value.integer, let right = right.value.integer {
                left == right
            } else if let left = left.value.number, let right = right.value.number {
                left == right
            } else {
                false
            }
        }
    }

    func hash(into hasher: inout Hasher) {
        switch self {
        case .none, .undefined: hasher.combine(0)
        case .string(let value): hasher.combine(value)
        default: hasher.combine(value.number)
        }
    }
}

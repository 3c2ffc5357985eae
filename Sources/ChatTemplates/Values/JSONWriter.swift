internal import OrderedCollections

/// Prints values as Python's `json.dumps` does, which is what transformers puts in the place of Jinja's `tojson`.
struct JSONWriter {
    let fuel: Fuel
    var escapesNonASCII = false
    /// What one level is indented by; nil writes everything on one line.
    var indentation: [Unicode.Scalar]?
    var itemSeparator: [Unicode.Scalar] = [",", " "]
    var keySeparator: [Unicode.Scalar] = [":", " "]
    var sortsKeys = false
    private(set) var output: [Unicode.Scalar] = []
    private var level = 0

    init(fuel: Fuel) { self.fuel = fuel }

    mutating func append(_ value: Value) throws(Failure) {
        try fuel.charge(elements: 1)
        switch value {
        case .none: append("null")
        case .bool(let value): append(value ? "true" : "false")
        case .integer(let value): append(String(value))
        case .float(let value):
            try fuel.chargeForFloat()
            append(Self.describe(value))
        case .string(let string): try append(string)
        case .sequence(let sequence) where sequence.kind == .list || sequence.kind == .tuple:
            try append(sequence.elements)
        case .dictionary(let dictionary): try append(dictionary)
        default: throw Failure("Object of type \(value.typeName) is not JSON serializable")
        }
    }

    private mutating func append(_ text: String) { output += text.unicodeScalars }

    private static func describe(_ value: Double) -> String {
        guard value.isFinite else { return value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity" }
        return PythonFormatter.describe(value)
    }

    // MARK: Containers

    private mutating func append(_ elements: [Value]) throws(Failure) {
        guard !elements.isEmpty else { return append("[]") }
        append("[")
        level += 1
        for (index, element) in elements.enumerated() {
            if index > 0 { try separate(itemSeparator) }
            try breakLine()
            try append(element)
        }
        level -= 1
        try breakLine()
        append("]")
    }

    private mutating func append(_ dictionary: PythonDictionary) throws(Failure) {
        guard !dictionary.members.isEmpty else { return append("{}") }
        append("{")
        level += 1
        for (index, (key, value)) in try members(of: dictionary).enumerated() {
            if index > 0 { try separate(itemSeparator) }
            try breakLine()
            try append(try Self.text(of: key))
            try separate(keySeparator)
            try append(value)
        }
        level -= 1
        try breakLine()
        append("}")
    }

    private func members(of dictionary: PythonDictionary) throws(Failure) -> [(DictionaryKey, Value)] {
        let members = dictionary.members.map { ($0.key, $0.value) }
        guard sortsKeys else { return members }
        let keyed = members.map { (key: $0.0.value, element: $0) }
        return try Comparison(fuel: fuel).sorted(keyed).map(\.element)
    }

    private static func text(of key: DictionaryKey) throws(Failure) -> PythonString {
        switch key {
        case .undefined:
            throw Failure("keys must be str, int, float, bool or None, not Undefined")
        case .string(let string): return string
        case .none: return "null"
        case .bool(let value): return value ? "true" : "false"
        case .integer(let value): return PythonString(String(value))
        case .float(let value): return PythonString(describe(value))
        }
    }

    private mutating func separate(_ separator: [Unicode.Scalar]) throws(Failure) {
        try fuel.charge(separator.count)
        output += separator
    }

    private mutating func breakLine() throws(Failure) {
        guard let indentation else { return }
        try fuel.charge(level * indentation.count)
        output.append("\n")
        for _ in 0..<level { output += indentation }
    }

    // MARK: Strings

    private mutating func append(_ string: PythonString) throws(Failure) {
        try fuel.charge(string.count)
        output.append("\"")
        for scalar in string.scalars {
            switch scalar {
            case "\"", "\\": output += ["\\", scalar]
            case "\n": append("\\n")
            case "\r": append("\\r")
            case "\t": append("\\t")
            case "\u{8}": append("\\b")
            case "\u{C}": append("\\f")
            default:
                if scalar.value < 0x20 || (escapesNonASCII && !scalar.isASCII) {
                    for unit in UTF16.encode(scalar) ?? UTF16.encodedReplacementCharacter {
                        append("\\u" + hexadecimal(UInt32(unit), width: 4))
                    }
                } else {
                    output.append(scalar)
                }
            }
        }
        output.append("\"")
    }
}

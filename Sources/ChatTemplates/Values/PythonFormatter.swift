internal import OrderedCollections

/// Prints values as Python's `str` and `repr` do.
struct PythonFormatter {
    let fuel: Fuel
    private(set) var output: [Unicode.Scalar] = []

    init(fuel: Fuel) { self.fuel = fuel }

    mutating func append(_ text: String) { output += text.unicodeScalars }

    /// Appends `str(value)`.
    mutating func appendText(of value: Value) throws(Failure) {
        switch value {
        case .string(let string):
            try fuel.charge(string.count)
            output += string.scalars
        case .undefined: break
        default: try appendRepresentation(of: value)
        }
    }

    /// Appends `repr(value)`.
    mutating func appendRepresentation(of value: Value) throws(Failure) {
        try fuel.charge(elements: 1)
        switch value {
        case .undefined: append("Undefined")
        case .none: append("None")
        case .bool(let value): append(value ? "True" : "False")
        case .integer(let value): append(String(value))
        case .float(let value):
            try fuel.chargeForFloat()
            append(Self.describe(value))
        case .string(let string): try appendString(string)
        case .sequence(let sequence): try append(sequence)
        case .dictionary(let dictionary): try append(dictionary)
        case .namespace(let namespace):
            // Python would follow a namespace that holds itself; templates only print one by mistake.
            append("<Namespace with \(namespace.attributes.count) attributes>")
        case .generator: append("<generator object>")
        case .loop(let loop): append("<LoopContext \(loop.index + 1)/\(loop.items.count)>")
        case .function(.macro(let macro)): append("<Macro '\(macro.definition.name)'>")
        case .function(.method(_, let name)): append("<built-in method \(name)>")
        case .function(.global(let global)): append("<function \(global.rawValue)>")
        }
    }

    // MARK: Containers

    private mutating func append(_ sequence: PythonSequence) throws(Failure) {
        switch sequence.kind {
        case .list: try append(sequence.elements, "[", "]")
        case .tuple: try append(sequence.elements, "(", sequence.elements.count == 1 ? ",)" : ")")
        case .range: append("range(\(sequence.rangeDescription))")
        case .keys, .values, .items: try append(sequence.elements, sequence.kind.rawValue + "([", "])")
        }
    }

    private mutating func append(_ elements: [Value], _ open: String, _ close: String) throws(Failure) {
        append(open)
        for (index, element) in elements.enumerated() {
            if index > 0 { append(", ") }
            try appendRepresentation(of: element)
        }
        append(close)
    }

    private mutating func append(_ dictionary: PythonDictionary) throws(Failure) {
        append("{")
        for (index, (key, value)) in dictionary.members.enumerated() {
            if index > 0 { append(", ") }
            try appendRepresentation(of: key.value)
            append(": ")
            try appendRepresentation(of: value)
        }
        append("}")
    }

    // MARK: Strings

    private mutating func appendString(_ string: PythonString) throws(Failure) {
        try fuel.charge(propertiesOf: string)
        let quote: Unicode.Scalar = string.scalars.contains("'") && !string.scalars.contains("\"") ? "\"" : "'"
        if string.isMarkup { append("Markup(") }
        output.append(quote)
        for scalar in string.scalars { appendEscaped(scalar, quote: quote) }
        output.append(quote)
        if string.isMarkup { append(")") }
    }

    private mutating func appendEscaped(_ scalar: Unicode.Scalar, quote: Unicode.Scalar) {
        switch scalar {
        case "\\", quote: output += ["\\", scalar]
        case "\n": append("\\n")
        case "\r": append("\\r")
        case "\t": append("\\t")
        default:
            if scalar.isPythonPrintable {
                output.append(scalar)
            } else if scalar.value <= 0xFF {
                append("\\x" + hexadecimal(scalar.value, width: 2))
            } else if scalar.value <= 0xFFFF {
                append("\\u" + hexadecimal(scalar.value, width: 4))
            } else {
                append("\\U" + hexadecimal(scalar.value, width: 8))
            }
        }
    }
}

/// A number in lower-case hexadecimal digits, padded with zeros.
func hexadecimal(_ value: UInt32, width: Int) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
}

extension Unicode.Scalar {
    /// Python's `str.isprintable` of one character.
    var isPythonPrintable: Bool {
        if isASCII { return value >= 0x20 && value != 0x7F }
        switch properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator,
            .spaceSeparator:
            return false
        default: return true
        }
    }
}

extension PythonSequence {
    /// The arguments of `range` in Python's `repr`.
    ///
    /// The one past the last element may exceed `Int`.
    fileprivate var rangeDescription: String {
        let numbers = (elements.prefix(2) + elements.suffix(1)).compactMap { $0.integer.map { Int128($0) } }
        guard numbers.count > 1 else { return "0, 0" }
        let (first, last) = (numbers[0], numbers[numbers.count - 1])
        guard elements.count > 1 else { return "\(first), \(first + 1)" }
        let step = numbers[1] - first
        return step == 1 ? "\(first), \(last + 1)" : "\(first), \(last + step), \(step)"
    }
}

internal import ModelFiles
internal import OrderedCollections

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Python's `format % values`.
struct PercentFormat {
    let fuel: Fuel

    /// One `%…` of a format.
    private struct Field {
        var name: PythonString?
        var isLeftAligned = false
        var isZeroPadded = false
        var isAlternate = false
        /// What stands before a number that is not negative: nothing, a space or a plus.
        var plus: String = ""
        var width = 0
        var precision: Int?
        var conversion: Unicode.Scalar = "s"
    }

    /// The values, in the order in which the fields take them.
    private struct Values {
        var rest: ArraySlice<Value>
        let dictionary: PythonDictionary?
        let isMapping: Bool

        init(_ value: Value) {
            if case .sequence(let sequence) = value, sequence.kind == .tuple {
                rest = sequence.elements[...]
                dictionary = nil
                isMapping = false
            } else {
                rest = [value]
                if case .dictionary(let members) = value { dictionary = members } else { dictionary = nil }
                switch value {
                case .dictionary, .sequence, .undefined: isMapping = true
                default: isMapping = false
                }
            }
        }

        mutating func next() throws(Failure) -> Value {
            guard let value = rest.popFirst() else { throw Failure("not enough arguments for format string") }
            return value
        }
    }

    func format(_ format: PythonString, _ value: Value) throws(Failure) -> PythonString {
        try fuel.charge(format.count)
        var values = Values(value)
        var result: [Unicode.Scalar] = []
        var position = 0
        while position < format.count {
            let scalar = format.scalars[position]
            position += 1
            guard scalar == "%" else {
                result.append(scalar)
                continue
            }
            let field = try readField(format.scalars, &position, &values)
            if field.conversion == "%" {
                result.append("%")
            } else {
                result += try convert(try next(for: field, &values), field)
            }
        }
        // Python takes a list for a mapping, too, and not everything in a mapping has to be used.
        guard values.rest.isEmpty || values.isMapping else {
            throw Failure("not all arguments converted during string formatting")
        }
        return format.with(result)
    }

    private func next(for field: Field, _ values: inout Values) throws(Failure) -> Value {
        guard let name = field.name else { return try values.next() }
        guard let dictionary = values.dictionary else { throw Failure("format requires a mapping") }
        guard let value = dictionary.members[.string(name)] else {
            throw Failure("the format names \(name.text.quotedForMessage), which is not in the mapping")
        }
        return value
    }

    // MARK: Reading a field

    private func readField(
        _ scalars: [Unicode.Scalar], _ position: inout Int, _ values: inout Values
    ) throws(Failure) -> Field {
        var field = Field()
        func peek() -> Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }
        if peek() == "(" {
            guard let end = scalars[position...].firstIndex(of: ")") else { throw Failure("incomplete format key") }
            field.name = PythonString(scalars[position + 1..<end])
            position = end + 1
        }
        flags: while let flag = peek() {
            switch flag {
            case "-": field.isLeftAligned = true
            case "0": field.isZeroPadded = true
            case "#": field.isAlternate = true
            case "+": field.plus = "+"
            case " ": if field.plus.isEmpty { field.plus = " " }
            default: break flags
            }
            position += 1
        }
        field.width = try readNumber(scalars, &position, &values) ?? 0
        if field.width < 0 {
            field.isLeftAligned = true
            field.width = -field.width
        }
        if peek() == "." {
            position += 1
            field.precision = max(0, try readNumber(scalars, &position, &values) ?? 0)
        }
        if let length = peek(), "hlL".unicodeScalars.contains(length) { position += 1 }
        guard let conversion = peek() else { throw Failure("incomplete format") }
        position += 1
        field.conversion = conversion
        try fuel.charge(field.width)
        try fuel.charge(field.precision ?? 0)
        return field
    }

    private func readNumber(
        _ scalars: [Unicode.Scalar], _ position: inout Int, _ values: inout Values
    ) throws(Failure) -> Int? {
        if position < scalars.count, scalars[position] == "*" {
            position += 1
            guard let number = try values.next().integer else { throw Failure("* wants int") }
            // Beyond the fuel anyway; the bound keeps the sign change from overflowing.
            return max(-Int.max, number)
        }
        let digits = scalars[position...].prefix { ("0"..."9").contains($0) }
        guard !digits.isEmpty else { return nil }
        position += digits.count
        return Int(PythonString(digits).text) ?? Int.max
    }

    // MARK: Conversion

    private func convert(_ value: Value, _ field: Field) throws(Failure) -> [Unicode.Scalar] {
        switch field.conversion {
        case "s", "r", "a":
            var formatter = PythonFormatter(fuel: fuel)
            if field.conversion == "s" {
                try formatter.appendText(of: value)
            } else {
                try formatter.appendRepresentation(of: value)
            }
            return pad(Array(formatter.output.prefix(field.precision ?? Int.max)), field)
        case "c":
            guard case .string(let string) = value, string.count == 1 else {
                throw Failure("%c requires a string of one character")
            }
            return pad(string.scalars, field)
        case "d", "i", "u": return number(try integer(value, field), radix: 10, prefix: "", field)
        case "x": return number(try integer(value, field), radix: 16, prefix: "0x", field)
        case "X":
            let text = number(try integer(value, field), radix: 16, prefix: "0x", field)
            return PythonString(text).uppercased.scalars
        case "o": return number(try integer(value, field), radix: 8, prefix: "0o", field)
        case "e", "E", "f", "F", "g", "G": return try float(value, field)
        default:
            throw Failure("unsupported format character \(String(field.conversion).quotedForMessage)")
        }
    }

    private func integer(_ value: Value, _ field: Field) throws(Failure) -> Int {
        if let integer = value.integer { return integer }
        if case .float(let float) = value, let integer = Int(exactly: float.rounded(.towardZero)) { return integer }
        if case .undefined(let undefined) = value { throw undefined.failure }
        throw Failure("%\(field.conversion) format: a real number is required, not \(value.typeName)")
    }

    private func number(_ value: Int, radix: Int, prefix: String, _ field: Field) -> [Unicode.Scalar] {
        let digits = String(value.magnitude, radix: radix)
        let zeros = String(repeating: "0", count: max(0, (field.precision ?? 0) - digits.count))
        return signed(zeros + digits, isNegative: value < 0, prefix: field.isAlternate ? prefix : "", field)
    }

    private func float(_ value: Value, _ field: Field) throws(Failure) -> [Unicode.Scalar] {
        if case .undefined(let undefined) = value { throw undefined.failure }
        try fuel.chargeForFormatting()
        guard let number = value.number else { throw Failure("must be real number, not \(value.typeName)") }
        guard let text = Self.describe(number.magnitude, field.conversion, precision: field.precision ?? 6) else {
            throw Failure("the precision of a format is too large")
        }
        return signed(text, isNegative: number.sign == .minus && !number.isNaN, prefix: "", field)
    }

    private func signed(_ digits: String, isNegative: Bool, prefix: String, _ field: Field) -> [Unicode.Scalar] {
        let sign = (isNegative ? "-" : field.plus) + prefix
        guard field.isZeroPadded, !field.isLeftAligned else { return pad(Array((sign + digits).unicodeScalars), field) }
        let zeros = String(repeating: "0", count: max(0, field.width - sign.count - digits.count))
        return Array((sign + zeros + digits).unicodeScalars)
    }

    private func pad(_ text: [Unicode.Scalar], _ field: Field) -> [Unicode.Scalar] {
        let padding = Array(repeating: " " as Unicode.Scalar, count: max(0, field.width - text.count))
        return field.isLeftAligned ? text + padding : padding + text
    }

    /// A number with C's `%f`, `%e` or `%g`, which round as Python does; nil if the precision exceeds 300 digits.
    static func describe(_ value: Double, _ conversion: Unicode.Scalar, precision: Int) -> String? {
        guard precision <= 300 else { return nil }
        var buffer = [CChar](repeating: 0, count: 1024)
        let capacity = buffer.count
        let count = withVaList([Int32(precision), value]) { arguments in
            vsnprintf(&buffer, capacity, "%.*" + String(conversion), arguments)
        }
        guard count >= 0, count < capacity else { return nil }
        return String(decoding: buffer.prefix(Int(count)).map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

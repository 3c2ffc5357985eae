extension JSON {
    /// The JSON text of this value, in one line or indented as Python's `json.dump(value, indent=2)` does.
    ///
    /// Characters outside ASCII are kept; a number that is not finite, which JSON cannot express, becomes `null`.
    public func text(indented: Bool = false) -> String {
        var writer = JSONWriter(isIndented: indented)
        writer.write(self)
        return writer.text
    }
}

private struct JSONWriter {
    let isIndented: Bool
    var text = ""
    private var depth = 0

    init(isIndented: Bool) { self.isIndented = isIndented }

    mutating func write(_ value: JSON) {
        switch value {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .integer(let value): text += String(value)
        case .number(let value): text += value.isFinite ? "\(value)" : "null"
        case .string(let value): write(value)
        case .array(let elements):
            writeList("[", elements, "]") { writer, element in writer.write(element) }
        case .object(let members):
            writeList("{", members, "}") { writer, member in
                writer.write(member.key)
                writer.text += writer.isIndented ? ": " : ":"
                writer.write(member.value)
            }
        }
    }

    private mutating func writeList<Elements: Collection>(
        _ open: String, _ elements: Elements, _ close: String, write: (inout JSONWriter, Elements.Element) -> Void
    ) {
        text += open
        depth += 1
        var isFirst = true
        for element in elements {
            if !isFirst { text += "," }
            isFirst = false
            startLine()
            write(&self, element)
        }
        depth -= 1
        if !isFirst { startLine() }
        text += close
    }

    private mutating func startLine() {
        if isIndented { text += "\n" + String(repeating: "  ", count: depth) }
    }

    private mutating func write(_ string: String) {
        text += "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case "\0"..."\u{1F}":
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}

internal import ModelFiles

/// Python's `str.format`, without format specifications.
struct BraceFormat {
    let evaluator: Evaluator

    func format(_ string: PythonString, _ arguments: Arguments) throws(Failure) -> PythonString {
        try evaluator.fuel.charge(string.count)
        var result: [Unicode.Scalar] = []
        var rest = string.scalars[...]
        var automatic = 0
        while let scalar = rest.popFirst() {
            if scalar == "{" || scalar == "}", rest.first == scalar {
                rest.removeFirst()
                result.append(scalar)
            } else if scalar == "{" {
                guard let end = rest.firstIndex(of: "}") else {
                    throw Failure("expected '}' before end of string")
                }
                let text = try field(rest[..<end], arguments, &automatic)
                try evaluator.fuel.charge(text.count)
                result += text
                rest = rest[(end + 1)...]
            } else if scalar == "}" {
                throw Failure("Single '}' encountered in format string")
            } else {
                result.append(scalar)
            }
        }
        return string.with(result)
    }

    private func field(
        _ field: ArraySlice<Unicode.Scalar>, _ arguments: Arguments, _ automatic: inout Int
    ) throws(Failure) -> [Unicode.Scalar] {
        guard !field.contains(":") else { throw Failure("format specifications are not supported by format") }
        let parts = field.split(separator: "!", maxSplits: 1, omittingEmptySubsequences: false)
        let value = try value(at: parts[0], arguments, &automatic)
        var formatter = PythonFormatter(fuel: evaluator.fuel)
        switch parts.count > 1 ? PythonString(parts[1]) : "s" {
        case "s": try formatter.appendText(of: value)
        case "r": try formatter.appendRepresentation(of: value)
        default: throw Failure("a conversion of format is '!s' or '!r'")
        }
        return formatter.output
    }

    /// The value of `0`, `name` or, if empty, of the next argument, followed by attributes such as `.a`.
    private func value(
        at path: ArraySlice<Unicode.Scalar>, _ arguments: Arguments, _ automatic: inout Int
    ) throws(Failure) -> Value {
        guard !path.contains("[") else { throw Failure("subscripts are not supported by format") }
        let names = path.split(separator: ".", omittingEmptySubsequences: false).map { PythonString($0) }
        let first = names[0].text
        var value: Value
        if let index = first.isEmpty ? automatic : Int(first) {
            if first.isEmpty { automatic += 1 }
            guard arguments.positional.indices.contains(index) else {
                throw Failure("Replacement index \(index) out of range for positional args tuple")
            }
            value = arguments.positional[index]
        } else {
            guard let keyword = arguments.keywords.first(where: { $0.name == first }) else {
                throw Failure("the format names \(first.quotedForMessage), which is not an argument")
            }
            value = keyword.value
        }
        for name in names.dropFirst() { value = try evaluator.attribute(AttributeName(name), of: value) }
        return value
    }
}

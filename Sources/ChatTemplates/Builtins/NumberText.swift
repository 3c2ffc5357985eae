/// A text that Python's `int()` or `float()` may read as a number.
struct NumberText {
    /// The longest text that is read; Python refuses integers of more digits.
    private static let longest = 4300

    /// The text without white space around it, and without underscores between its digits; nil if it has others.
    private let text: String?

    init(_ string: PythonString) {
        guard string.count <= Self.longest else {
            text = nil
            return
        }
        let scalars = string.stripped(\.isPythonSpace).scalars
        let isSound = scalars.indices.allSatisfy { index in
            scalars[index] != "_"
                || (index > 0 && index + 1 < scalars.count && Self.isAlphanumeric(scalars[index - 1])
                    && Self.isAlphanumeric(scalars[index + 1]))
        }
        text = isSound && scalars.allSatisfy(\.isASCII) ? PythonString(scalars.filter { $0 != "_" }).text : nil
    }

    private static func isAlphanumeric(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
    }

    /// The integer in a base, with a prefix such as `0x` where the base allows it; nil if it is none.
    func integer(base: Int) throws(Failure) -> Int? {
        guard base == 0 || (2...36).contains(base) else { return nil }
        guard var digits = text.map({ Substring($0) }) else { return nil }
        let isNegative = digits.first == "-"
        if isNegative || digits.first == "+" { digits.removeFirst() }
        var radix = base
        for (prefix, prefixBase) in [("0x", 16), ("0o", 8), ("0b", 2)] {
            guard base == 0 || base == prefixBase, digits.lowercased().hasPrefix(prefix) else { continue }
            digits = digits.dropFirst(2)
            radix = prefixBase
        }
        if radix == 0 { radix = 10 }
        let isSound = digits.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) }
        let isInBase = digits.utf8.allSatisfy { Int(String(UnicodeScalar($0)), radix: radix) != nil }
        guard !digits.isEmpty, isSound, isInBase else { return nil }
        guard let value = Int((isNegative ? "-" : "") + digits, radix: radix) else {
            throw Failure(.limit, "an integer does not fit 64 bits")
        }
        return value
    }

    /// The float; nil if it is none.
    var float: Double? {
        guard let text, !text.isEmpty else { return nil }
        let unsigned = text.lowercased().drop { $0 == "-" || $0 == "+" }
        let isName = ["inf", "infinity", "nan"].contains(unsigned)
        // Swift also reads hexadecimal floats, which Python does not.
        guard isName || unsigned.allSatisfy({ "0123456789.e+-".contains($0) }) else { return nil }
        return Double(text)
    }
}

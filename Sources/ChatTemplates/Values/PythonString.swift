/// A Python string: Unicode scalars, compared, counted and indexed one by one.
///
/// Swift's `String` compares by canonical equivalence and counts graphemes; Python does neither.
struct PythonString: Sendable {
    var scalars: [Unicode.Scalar]
    /// Whether `safe` or `escape` made it: plain text added to it is escaped, as markupsafe does.
    var isMarkup = false

    init(_ scalars: some Sequence<Unicode.Scalar>, isMarkup: Bool = false) {
        self.scalars = Array(scalars)
        self.isMarkup = isMarkup
    }

    init(_ text: String) { scalars = Array(text.unicodeScalars) }

    var count: Int { scalars.count }
    var isEmpty: Bool { scalars.isEmpty }

    /// The same scalars as a Swift string.
    var text: String {
        let byteCount = scalars.reduce(0) { $0 + UTF8.width($1) }
        return String(unsafeUninitializedCapacity: byteCount) { buffer in
            var offset = 0
            for scalar in scalars {
                if scalar.isASCII {
                    buffer[offset] = UInt8(truncatingIfNeeded: scalar.value)
                    offset += 1
                } else {
                    for byte in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter {
                        buffer[offset] = byte
                        offset += 1
                    }
                }
            }
            return offset
        }
    }

    /// The same kind of string with other scalars.
    func with(_ scalars: some Sequence<Unicode.Scalar>) -> PythonString { PythonString(scalars, isMarkup: isMarkup) }
}

extension PythonString: Hashable {
    static func == (left: PythonString, right: PythonString) -> Bool { left.scalars == right.scalars }

    func hash(into hasher: inout Hasher) { scalars.withUnsafeBytes { hasher.combine(bytes: $0) } }
}

extension PythonString: Comparable {
    static func < (left: PythonString, right: PythonString) -> Bool {
        left.scalars.lexicographicallyPrecedes(right.scalars)
    }
}

extension PythonString: ExpressibleByStringLiteral {
    init(stringLiteral value: StaticString) { self.init(value.description) }
}

extension Unicode.Scalar {
    /// Python's `str.isspace` of one character.
    var isPythonSpace: Bool {
        switch value {
        case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
        default: false
        }
    }

    /// Whether Python breaks lines at this character in `str.splitlines`.
    var isPythonLineBreak: Bool {
        switch value {
        case 0x0A...0x0D, 0x1C...0x1E, 0x85, 0x2028, 0x2029: true
        default: false
        }
    }
}

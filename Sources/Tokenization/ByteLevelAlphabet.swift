/// The bijection between bytes and printable characters in which byte-level vocabularies are written.
///
/// Printable bytes of Latin-1 stand for themselves and the others, in order, for U+0100 and the characters after it:
/// a space is written `Ġ`. Source: `bytes_to_unicode` of GPT-2.
enum ByteLevelAlphabet {
    /// The character of each byte.
    static let scalars: [Unicode.Scalar] = {
        var nextSubstitute: UInt8 = 0
        return (UInt8.min...UInt8.max).map { byte in
            switch byte {
            case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return Unicode.Scalar(byte)
            default:
                defer { nextSubstitute += 1 }
                return Unicode.Scalar(0x100 + UInt16(nextSubstitute)) ?? "\u{FFFD}"
            }
        }
    }()

    /// The byte of each character below U+0144, or -1.
    private static let bytes: [Int16] = {
        var bytes = [Int16](repeating: -1, count: 0x144)
        for (byte, scalar) in scalars.enumerated() { bytes[Int(scalar.value)] = Int16(byte) }
        return bytes
    }()

    /// Appends the bytes that a token stands for and returns true, or appends nothing if a character of it is not in
    /// the alphabet.
    static func decode(_ token: String, into result: inout [UInt8]) -> Bool {
        let start = result.count
        for scalar in token.unicodeScalars {
            guard scalar.value < bytes.count, bytes[Int(scalar.value)] >= 0 else {
                result.removeSubrange(start...)
                return false
            }
            result.append(UInt8(bytes[Int(scalar.value)]))
        }
        return true
    }

    /// The token that stands for some bytes.
    static func encode(_ bytes: some Sequence<UInt8>) -> String {
        var token = String.UnicodeScalarView()
        for byte in bytes { token.append(scalars[Int(byte)]) }
        return String(token)
    }
}

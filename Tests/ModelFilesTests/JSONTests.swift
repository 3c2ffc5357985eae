import ModelFiles
import Testing

@Suite struct JSONTests {
    static let good: [(text: String, value: JSON)] = [
        ("null", .null), (" true ", .bool(true)), ("\t\r\nfalse\n", .bool(false)), ("0", .integer(0)),
        ("-0", .integer(0)), ("-12", .integer(-12)), ("9223372036854775807", .integer(.max)),
        ("-9223372036854775808", .integer(.min)), ("9223372036854775808", .number(9_223_372_036_854_775_808)),
        ("1.5", .number(1.5)), ("1e3", .number(1000)), ("1E+3", .number(1000)), ("-2.5e-3", .number(-0.0025)),
        ("0.0", .number(0)), ("0e0", .number(0)), ("1e-400", .number(0)), ("1e308", .number(1e308)),
        ("5e-324", .number(.leastNonzeroMagnitude)), (#""""#, .string("")), (#""a""#, .string("a")),
        (#""é字😀""#, .string("é字😀")),
        (#""\"\\\/\b\f\n\r\t""#, .string("\"\\/\u{8}\u{C}\n\r\t")), (#""\u0041\u00e9\u00E9""#, .string("Aéé")),
        (#""\u0000""#, .string("\0")), (#""\uD83D\uDE00""#, .string("😀")), (#""\uDBFF\uDFFF""#, .string("\u{10FFFF}")),
        (#""\uD83D""#, .string("\u{FFFD}")), (#""\uDE00x""#, .string("\u{FFFD}x")),
        (#""\uD83D\u0041""#, .string("\u{FFFD}A")), (#""\uD83D\uD83D\uDE00""#, .string("\u{FFFD}😀")),
        (#""\uD83D\n""#, .string("\u{FFFD}\n")), ("\"\u{7F}\u{2028}\"", .string("\u{7F}\u{2028}")),
        ("[]", .array([])), ("[ ]", .array([])),
        ("[1,[2],{}]", .array([.integer(1), .array([.integer(2)]), .object([:])])),
        ("{}", .object([:])), (#"{ "a" : 1 , "b" : [ ] }"#, .object(["a": .integer(1), "b": .array([])])),
        (#"{"b":1,"a":2}"#, .object(["b": .integer(1), "a": .integer(2)])), (#"{"":0}"#, .object(["": .integer(0)])),
        ("\u{FEFF}[1]", .array([.integer(1)])),
    ]

    @Test("reads what RFC 8259 allows", arguments: good)
    func readsGood(text: String, value: JSON) throws {
        #expect(try JSON(parsing: text) == value)
    }

    static let bad: [(text: String, message: String, offset: Int)] = [
        ("", "unexpected end", 0), (" ", "unexpected end", 1), ("nul", "expected a value", 0),
        ("nulL", "expected a value", 0), ("True", "expected a value", 0), ("NaN", "expected a value", 0),
        ("Infinity", "expected a value", 0), ("-Infinity", "expected a digit", 1), ("-", "expected a digit", 1),
        ("+1", "expected a value", 0), ("01", "unexpected text", 1), ("-01", "unexpected text", 2),
        (".5", "expected a value", 0), ("1.", "expected a digit", 2), ("1.e3", "expected a digit", 2),
        ("1e", "expected a digit", 2), ("1e+", "expected a digit", 3), ("0x10", "unexpected text", 1),
        ("1e400", "out of range", 0), ("-1e400", "out of range", 0), ("1 2", "unexpected text", 2),
        ("'a'", "expected a value", 0), (#"""#, "unexpected end", 1), (#""a"#, "unexpected end", 2),
        (#""\"#, "unexpected end", 2), (#""\x""#, "unknown escape", 2), (#""\u12""#, "hexadecimal", 5),
        (#""\u12G4""#, "hexadecimal", 5), (#""\uD83D\u""#, "hexadecimal", 9), (#""\U0041""#, "unknown escape", 2),
        ("\"a\nb\"", "control character", 2), ("\"\\n\u{1}\"", "control character", 3),
        ("\"\0\"", "control character", 1),
        ("[", "unexpected end", 1), ("[1", "expected ',' or ']'", 2), ("[1,", "unexpected end", 3),
        ("[1,]", "expected a value", 3), ("[,1]", "expected a value", 1), ("[1 2]", "expected ',' or ']'", 3),
        ("[1}", "expected ',' or ']'", 2), ("]", "expected a value", 0), ("{", "expected a string as key", 1),
        ("{1:2}", "expected a string as key", 1), (#"{"a""#, "expected ':'", 4), (#"{"a" 1}"#, "expected ':'", 5),
        (#"{"a":}"#, "expected a value", 5), (#"{"a":1"#, "expected ',' or '}'", 6),
        (#"{"a":1,}"#, "expected a string as key", 7), (#"{"a":1 "b":2}"#, "expected ',' or '}'", 7),
        (#"{"a":1,"a":2}"#, "duplicate key 'a'", 7), (#"{"a":1,"\u0061":2}"#, "duplicate key 'a'", 7),
        (#"{"a":1}}"#, "unexpected text", 7), ("// c\n1", "expected a value", 0), ("\u{FEFF}", "unexpected end", 3),
    ]

    @Test("refuses what RFC 8259 does not allow, and says where", arguments: bad)
    func refusesBad(text: String, message: String, offset: Int) {
        let error = #expect(throws: JSONError.self) { try JSON(parsing: text) }
        #expect(error?.message.contains(message) == true, "\(String(describing: error))")
        #expect(error?.offset == offset)
        #expect(error?.description.hasSuffix("at byte \(offset)") == true)
    }

    @Test(
        "refuses strings that are not UTF-8",
        arguments: [
            [0xFF], [0xC3], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x82], [0x80],
        ] as [[UInt8]])
    func refusesInvalidUTF8(units: [UInt8]) {
        // With and without an escape in the string, which takes another way.
        for prefix in ["\"", "\"\\n"] {
            let text = Array(prefix.utf8) + units + [UInt8(ascii: "\"")]
            let error = text.withUnsafeBytes { bytes in #expect(throws: JSONError.self) { try JSON(parsing: bytes) } }
            #expect(error?.message == "the string is not valid UTF-8")
        }
    }

    @Test("keeps the order of members, few or many")
    func keepsOrder() throws {
        let keys = (0..<1000).map { "key\(($0 * 7919) % 1000)" }
        let text = "{" + keys.enumerated().map { "\"\($0.element)\":\($0.offset)" }.joined(separator: ",") + "}"
        guard case .object(let members) = try JSON(parsing: text) else {
            Issue.record("expected an object")
            return
        }
        #expect(members.keys == keys)
        for (index, key) in keys.enumerated() { #expect(members[key] == .integer(index)) }
        #expect(members["absent"] == nil)
        let duplicate = text.dropLast() + ",\"key5\":0}"
        #expect(throws: JSONError.self) { try JSON(parsing: String(duplicate)) }
    }

    @Test("keeps keys apart that differ only in Unicode normalization")
    func keepsNormalizations() throws {
        let composed = "\u{E9}"
        let decomposed = "e\u{301}"
        let value = try JSON(parsing: "{\"\(composed)\":1,\"\(decomposed)\":2}")
        #expect(value[composed] == .integer(1))
        #expect(value[decomposed] == .integer(2))
    }

    @Test("limits depth, values and length")
    func limits() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(throws: Never.self) { try JSON(parsing: nested(64)) }
        let error = #expect(throws: JSONError.self) { try JSON(parsing: nested(65)) }
        #expect(error?.description == "nested deeper than 64 at byte 64")
        #expect(throws: JSONError.self) { try JSON(parsing: String(repeating: "[{\"a\":", count: 100_000)) }
        // Depth counts nesting, not the number of arrays.
        #expect(throws: Never.self) {
            try JSON(parsing: "[" + Array(repeating: "[]", count: 1000).joined(separator: ",") + "]")
        }
        let few = JSONLimits(valueCount: 3)
        #expect(throws: Never.self) { try JSON(parsing: "[1,2]", limits: few) }
        #expect(throws: JSONError.self) { try JSON(parsing: "[1,2,3]", limits: few) }
        let short = JSONLimits(byteCount: 4)
        #expect(throws: Never.self) { try JSON(parsing: "1234", limits: short) }
        #expect(throws: JSONError.self) { try JSON(parsing: "12345", limits: short) }
    }

    @Test("gives an error or a value for every prefix and every bit flip of a text")
    func survivesDamage() {
        let text = Array(#"{"a":[1,-2.5e3,true,null],"é\n\uD83D\uDE00":{"b":"x\\y"}} "#.utf8)
        var accepted = 0
        func parse(_ bytes: some Collection<UInt8>) {
            // A copy of exactly this length, so that an address sanitizer sees a read past its end.
            Array(bytes).withUnsafeBytes { if (try? JSON(parsing: $0)) != nil { accepted += 1 } }
        }
        for count in 0..<text.count { parse(text[..<count]) }
        #expect(accepted == 1, "only the space at the end can be missing")
        for index in text.indices {
            for bit in 0..<8 {
                var damaged = text
                damaged[index] ^= 1 << UInt8(bit)
                parse(damaged)
            }
        }
    }
}

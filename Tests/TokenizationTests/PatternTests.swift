import Testing

@testable import Tokenization

/// The expected pieces are those of `tokenizers` 0.23.3 (Oniguruma) with the behaviour `Isolated`.
@Suite("Patterns")
struct PatternTests {
    private func pieces(_ pattern: String, _ text: String) throws -> [String] {
        var parser = try PatternParser(pattern)
        let program = try PatternProgram(parser.parse())
        var split = PreTokenizedText(text.bytes)
        var steps = PatternMatcher.steps(forByteCount: text.utf8.count)
        Splitter(program: program, behavior: .isolated, isInverted: false).apply(to: &split, steps: &steps)
        return split.pieces.map { String(decoding: split.bytes[$0], as: UTF8.self) }
    }

    @Test(
        "match as Oniguruma does",
        arguments: [
            (#"\p{N}{1,3}"#, "1234567", ["123", "456", "7"]),
            (#"\p{N}{1,3}+"#, "1234567", ["1234567"]),
            (#"\p{N}{1,3}?"#, "123", ["1", "2", "3"]),
            ("a{,2}", "aaaaa", ["aa", "aa", "a"]),
            ("^a", "a\nab\nca", ["a", "\n", "a", "b\nca"]),
            ("b$", "ab\nab", ["a", "b", "\na", "b"]),
            (#"\Aa"#, "a\nab", ["a", "\nab"]),
            (#"a\z"#, "aa", ["a", "a"]),
            (#"a\Z"#, "aa\n", ["a", "a", "\n"]),
            (".+", "ab\ncd\r\ne\u{2028}f", ["ab", "\n", "cd\r", "\n", "e\u{2028}f"]),
            ("(?i:k)x", "kxKx\u{212A}x", ["kx", "Kx", "\u{212A}x"]),
            ("(?i:'s)", "'s'S'ſ", ["'s", "'S", "'ſ"]),
            ("(?i:[a-z]+)", "abſK\u{212A}1", ["abſK\u{212A}", "1"]),
            ("(?i:[^s]+)", "aSſsb", ["a", "Sſs", "b"]),
            ("(?i:a(?-i:b))c", "AbcABc", ["Abc", "ABc"]),
            ("[a-z&&[^aeiou]]+", "abcde", ["a", "bcd", "e"]),
            (#"[\p{L}\p{N}&&[^a]]+"#, "ab1", ["a", "b1"]),
            (#"[^\S\r\n]+"#, " \n ", [" ", "\n", " "]),
            (#"[\^\]a-]+"#, "b^]a-b", ["b", "^]a-", "b"]),
            ("x*", "axxb", ["a", "xx", "b"]),
            ("", "ab", ["a", "b"]),
            ("(a|b)*c", "ababc", ["ababc"]),
            ("(?:ab|a)(?:bc|c)", "abcabbc", ["abc", "abbc"]),
            ("(?:(?:a|(b))|(?>c(d)))+e", "abcdeacde", ["abcde", "acde"]),
            ("(?>a+)a", "aaa", ["aaa"]),
            ("a++a", "aaa", ["aaa"]),
            ("a+?b??b", "aabb", ["aab", "b"]),
            ("(?:a|ab)*+c", "abac", ["ab", "ac"]),
            ("(?=b)", "abab", ["a", "ba", "b"]),
            (#"\s+(?!\S)|\s+"#, "a   b", ["a", "  ", " ", "b"]),
            (#"\w+"#, "a_b\u{301}c\u{200D}d\u{203F}e²٣", ["a_b\u{301}c", "\u{200D}", "d\u{203F}e²٣"]),
            (#"[\w]+"#, "a²b", ["a", "²", "b"]),
            (#"\d+"#, "1٣²", ["1٣", "²"]),
            (#"\s+"#, "a\u{85}b\u{A0}c\u{200B}d", ["a", "\u{85}", "b", "\u{A0}", "c\u{200B}d"]),
            (#"\p{Lowercase_Letter}|\p{^L}"#, "aB1", ["a", "B", "1"]),
            (#"\x{41}\x42\u0043\t?"#, "ABCD", ["ABC", "D"]),
        ])
    func match(pattern: String, text: String, expected: [String]) throws {
        #expect(try pieces(pattern, text).map(\.bytes) == expected.map(\.bytes))
    }

    @Test(
        "are refused with the place, where they are wrong or not supported",
        arguments: [
            ("(a", 0, false), ("a)", 1, false), ("[a", 0, false), ("[]", 0, false), ("*a", 0, false),
            ("a{2,1}", 1, false), ("a{x}", 1, false), ("a\\", 2, false), ("[z-a]", 3, false),
            (#"\x{110000}"#, 9, false),
            (#"\xg"#, 2, false), (#"\p{L"#, 4, false), (#"\pL"#, 2, false), (#"\p{Han}"#, 3, true),
            (#"(a)\1"#, 3, true), (#"\bword"#, 0, true), ("(?<=a)b", 0, true), ("(?<name>a)", 0, true),
            ("(?i)a", 0, true), ("(?x:a)", 0, true), ("a**", 2, true), ("a{2}?", 4, true), ("(a*)*", 0, true),
            ("(?=a)+", 0, true), ("[[:alpha:]]", 3, true), ("(?i:é)", 5, true), ("a{1001}", 5, true),
        ])
    func refuse(pattern: String, position: Int, isUnsupported: Bool) {
        let error = #expect(throws: PatternError.self) { try pieces(pattern, "") }
        #expect(error?.position == position, "\(error?.message ?? "")")
        #expect(error?.isUnsupported == isUnsupported, "\(error?.message ?? "")")
    }

    @Test("are refused when they are too deep, too long or too large")
    func refuseLarge() {
        let tooDeep = String(repeating: "(", count: 100_000) + String(repeating: ")", count: 100_000)
        let tooLong = String(repeating: "a", count: 20_000)
        let nested = String(repeating: "(", count: 60) + "a" + String(repeating: ")", count: 60)
        let brackets = String(repeating: "[", count: 60) + "a" + String(repeating: "]", count: 60)
        let tooManySets = (0..<100).map {
            "[\(Unicode.Scalar(UInt8($0 % 26 + 65)))\\x{\(String($0 + 256, radix: 16))}]"
        }
        for pattern in [tooDeep, tooLong, nested, brackets, tooManySets.joined(), "(?:(?:ab){1000}){1000}"] {
            #expect(throws: PatternError.self) { try pieces(pattern, "") }
        }
    }

    @Test(
        "end on every text, whatever they are",
        arguments: [
            "(?:a|aa)+b", "(?:a|a)*+b|(?:a+a+)+c", "a*a*a*a*a*b", "(?:a|b?a){30}(?:a|ba?){30}c", "(?!(?:a|aa)+b)x",
        ])
    func exponential(pattern: String) throws {
        let text = String(repeating: "a", count: 5_000)
        #expect(try pieces(pattern, text).joined() == text)
    }

    @Test("leave the rest of the text whole when their steps are used up")
    func exhausted() throws {
        let text = "b" + String(repeating: "a", count: 5_000) + "b"
        #expect(try pieces("b|(?:a|aa)+c", text) == ["b", String(text.dropFirst())])
    }
}

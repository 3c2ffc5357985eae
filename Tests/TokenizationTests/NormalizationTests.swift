import Testing

@testable import Tokenization

@Suite("Normalization")
struct NormalizationTests {
    private func normalize(_ form: NormalizationForm, _ text: String) -> String {
        String(decoding: form.normalize(text.bytes), as: UTF8.self)
    }

    @Test(
        "composes and decomposes",
        arguments: [
            ("e\u{301}", "é", "e\u{301}"),
            ("\u{212B}", "\u{C5}", "A\u{30A}"),
            ("s\u{307}\u{323}", "\u{1E69}", "s\u{323}\u{307}"),
            ("\u{1E0B}\u{323}", "\u{1E0D}\u{307}", "d\u{323}\u{307}"),
            ("\u{1100}\u{1161}\u{11A8}", "\u{AC01}", "\u{1100}\u{1161}\u{11A8}"),
            ("\u{AC00}\u{11A8}", "\u{AC01}", "\u{1100}\u{1161}\u{11A8}"),
            ("\u{958}", "\u{915}\u{93C}", "\u{915}\u{93C}"),
            ("\u{F73}\u{F71}", "\u{F71}\u{F71}\u{F72}", "\u{F71}\u{F71}\u{F72}"),
            ("\u{344}", "\u{308}\u{301}", "\u{308}\u{301}"),
            ("\u{FB01}", "\u{FB01}", "\u{FB01}"),
            ("\u{1611E}\u{1611E}", "\u{16121}", "\u{1611E}\u{1611E}"),
            ("ASCII, ünd Latin", "ASCII, ünd Latin", "ASCII, u\u{308}nd Latin"),
        ])
    func forms(text: String, composed: String, decomposed: String) {
        #expect(normalize(.composed, text).bytes == composed.bytes)
        #expect(normalize(.decomposed, text).bytes == decomposed.bytes)
        #expect(normalize(.composed, "#\(text)#").bytes == "#\(composed)#".bytes)
    }

    @Test("agrees with the standard library's canonical equivalence on every scalar")
    func everyScalar() {
        for value in UInt32(0)...0x10FFFF {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let text = String(scalar)
            let decomposed = normalize(.decomposed, text)
            // Most scalars decompose to themselves; the comparison of strings is only worth its time for the others.
            guard decomposed.bytes != text.bytes else { continue }
            #expect(decomposed == text)
            #expect(normalize(.composed, decomposed).bytes == normalize(.composed, text).bytes)
            #expect(normalize(.composed, text) == text)
        }
    }

    @Test("does not depend on the form it is given, and keeps canonical equivalence")
    func random() {
        var generator = SeededGenerator(state: 3)
        // Without U+0F73, U+0F75 and U+0F81, which the standard library's comparison does not reorder.
        let marks: [UInt32] = [
            0x300, 0x301, 0x323, 0x327, 0x345, 0x338, 0x5B0, 0x94D, 0xF71, 0xF72, 0x1161, 0x11A8,
        ]
        for _ in 0..<2_000 {
            var text = String.UnicodeScalarView()
            for _ in 0..<Int.random(in: 1...10, using: &generator) {
                let value =
                    Bool.random(using: &generator)
                    ? marks.randomElement(using: &generator) ?? 0 : UInt32.random(in: 0x41...0x30FF, using: &generator)
                if let scalar = Unicode.Scalar(value) { text.append(scalar) }
            }
            let composed = normalize(.composed, String(text))
            #expect(composed == String(text))
            #expect(normalize(.composed, normalize(.decomposed, String(text))).bytes == composed.bytes)
            #expect(normalize(.composed, composed).bytes == composed.bytes)
        }
    }

    @Test("sorts a long run of marks")
    func longRun() {
        let run = String(repeating: "\u{301}\u{316}", count: 100_000)
        let sorted = String(repeating: "\u{316}", count: 100_000) + String(repeating: "\u{301}", count: 100_000)
        #expect(normalize(.decomposed, "a" + run).bytes == ("a" + sorted).bytes)
    }
}

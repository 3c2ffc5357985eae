import Testing

@testable import CUDA

@Suite("SHA-256")
struct SHA256Tests {
    @Test(
        "gives the hashes of the standard's examples",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
            (
                String(repeating: "a", count: 1_000),
                "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3"
            ),
        ])
    func examples(_ text: String, _ expected: String) {
        #expect(SHA256.hexadecimal(SHA256.hash(Array(text.utf8))) == expected)
    }

    @Test("gives the same hash however the bytes are divided", arguments: [1, 55, 56, 63, 64, 65, 200])
    func pieces(_ pieceSize: Int) {
        let bytes = (0..<300).map { UInt8(truncatingIfNeeded: $0 &* 37) }
        var hash = SHA256()
        for start in stride(from: 0, to: bytes.count, by: pieceSize) {
            hash.update(Array(bytes[start..<min(start + pieceSize, bytes.count)]))
        }
        #expect(hash.finalize() == SHA256.hash(bytes))
    }
}

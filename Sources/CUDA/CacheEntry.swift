/// A compiled program as a file: the code, followed by the compiler's log and a trailer that tells a damaged file.
///
/// The file begins with the code's own ELF headers, so `nvdisasm` and `cuobjdump` read it as it is. The trailer is, in
/// this order: the sizes of code and log (8 bytes each, little-endian), the SHA-256 of the key and everything before,
/// and ``format``.
struct CacheEntry {
    /// Changes whenever the file or the options of all programs change.
    static let format = "nibble-cubin-001"
    private static let trailerByteCount = 8 + 8 + 32 + format.utf8.count

    /// The whole file.
    let bytes: [UInt8]

    /// The file of a compiled program.
    init(_ program: CompiledProgram, key: String) {
        let log = Array(program.log.utf8)
        let sizes = [program.cubin.count, log.count].flatMap { Self.encoded($0) }
        let content = program.cubin + log + sizes
        bytes = content + SHA256.hash(Array(key.utf8) + content) + Array(Self.format.utf8)
    }

    /// A file that was read.
    init(bytes: [UInt8]) { self.bytes = bytes }

    /// The program in the file; nil if the file is damaged or belongs to another key.
    func program(key: String) -> CompiledProgram? {
        guard bytes.count >= Self.trailerByteCount, bytes.suffix(Self.format.utf8.count).elementsEqual(Self.format.utf8)
        else { return nil }
        let contentEnd = bytes.count - 32 - Self.format.utf8.count
        let content = bytes[..<contentEnd]
        guard bytes[contentEnd..<contentEnd + 32].elementsEqual(SHA256.hash(Array(key.utf8) + content)) else {
            return nil
        }
        let logEnd = contentEnd - 16
        let codeByteCount = Self.decoded(bytes[logEnd..<logEnd + 8])
        let logByteCount = Self.decoded(bytes[logEnd + 8..<contentEnd])
        guard codeByteCount <= logEnd, logByteCount == logEnd - codeByteCount else { return nil }
        return CompiledProgram(
            cubin: Array(bytes[..<codeByteCount]), log: String(decoding: bytes[codeByteCount..<logEnd], as: UTF8.self))
    }

    private static func encoded(_ value: Int) -> [UInt8] {
        withUnsafeBytes(of: UInt64(value).littleEndian) { Array($0) }
    }

    private static func decoded(_ bytes: ArraySlice<UInt8>) -> Int {
        Int(clamping: bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    }
}

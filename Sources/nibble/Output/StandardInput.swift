import Engine

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Where a prompt can come from.
enum StandardInput {
    private static let limit = 16 << 20

    /// Reads everything up to the end, at most 16 MiB of UTF-8.
    static func readAll() throws -> String {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = chunk.withUnsafeMutableBytes { read(STDIN_FILENO, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else {
                throw EngineError(.invalidPrompt, "standard input: \(String(cString: strerror(errno)))")
            }
            if count == 0 { break }
            bytes += chunk[..<count]
            guard bytes.count <= limit else {
                throw EngineError(.invalidPrompt, "standard input: more than \(limit) bytes")
            }
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw EngineError(.invalidPrompt, "standard input: not valid UTF-8")
        }
        return text
    }
}

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Where results go.
enum StandardOutput {
    /// Writes text at once, so that a stream is seen as it comes.
    static func write(_ text: String) throws { try writeAll(text, to: STDOUT_FILENO) }

    /// Writes a line.
    static func print(_ line: String) throws { try write(line + "\n") }

    fileprivate static func writeAll(_ text: String, to descriptor: Int32) throws {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { writeBytes(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw OutputError(reason: String(cString: strerror(errno))) }
            bytes = bytes.dropFirst(count)
        }
    }
}

/// The system's call, which the methods named `write` hide.
private func writeBytes(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}

/// Where everything but results goes.
enum StandardError {
    /// Whether a person sees it.
    static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// Writes text; a failure has nowhere to be said.
    static func write(_ text: String) { try? StandardOutput.writeAll(text, to: STDERR_FILENO) }

    /// Writes a line.
    static func print(_ line: String) { write(line + "\n") }
}

/// Standard output cannot be written to.
struct OutputError: Error, CustomStringConvertible {
    let reason: String
    var description: String { "standard output: \(reason)" }
}

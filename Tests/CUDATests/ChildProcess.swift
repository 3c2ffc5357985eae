import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A program that was started.
struct ChildProcess {
    private let identifier: pid_t

    /// Starts a program with arguments.
    init(_ path: String, _ arguments: [String]) throws {
        var words: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
        defer { words.forEach { free($0) } }
        var identifier: pid_t = 0
        try #require(posix_spawn(&identifier, path, nil, nil, &words, environ) == 0, "cannot start \(path)")
        self.identifier = identifier
    }

    /// Waits until it ends and returns its exit status; the signal's number, negative, if one ended it.
    func wait() throws -> Int32 {
        var status: Int32 = 0
        try #require(waitpid(identifier, &status, 0) == identifier)
        return status & 0x7f == 0 ? status >> 8 : -(status & 0x7f)
    }
}

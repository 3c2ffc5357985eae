#if canImport(Glibc)
    import Glibc

    /// The small files in which Linux says what it has and what it allows.
    enum SystemFile {
        /// A file of `/proc` or `/sys`, or nil if it cannot be read.
        static func contents(of path: String) -> String? {
            let file = open(path, O_RDONLY | O_CLOEXEC)
            guard file >= 0 else { return nil }
            defer { close(file) }
            var bytes = [UInt8](repeating: 0, count: 16384)
            let count = bytes.withUnsafeMutableBytes { read(file, $0.baseAddress, $0.count) }
            return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
        }
    }
#endif

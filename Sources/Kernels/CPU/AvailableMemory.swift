#if canImport(Glibc)
    import Glibc
#endif

/// What the system can still give to a process.
enum AvailableMemory {
    /// Makes sure, as far as the system tells, that there is memory for what is about to be written.
    ///
    /// Linux reserves memory that it does not have, and then ends the process that writes to it.
    ///
    /// - Throws: ``KernelError`` if there is not that much memory.
    static func require(
        _ byteCounts: some Sequence<Int>, of available: Int? = byteCount, for name: String
    ) throws(KernelError) {
        let needed = byteCounts.reduce(0) { sum, count in
            let (sum, overflow) = sum.addingReportingOverflow(count)
            return overflow ? .max : sum
        }
        guard let available, needed > available else { return }
        throw KernelError("\(name): no memory for the \(needed) bytes of its layer, \(available) are available")
    }

    /// The bytes, or nil where the system does not tell.
    static var byteCount: Int? {
        #if os(Linux)
            guard let stream = fopen("/proc/meminfo", "re") else { return nil }
            defer { fclose(stream) }
            var bytes = [UInt8](repeating: 0, count: 8192)
            let count = fread(&bytes, 1, bytes.count, stream)
            return byteCount(in: String(decoding: bytes[..<count], as: UTF8.self))
        #else
            return nil
        #endif
    }

    /// The bytes that Linux counts as available in `/proc/meminfo`, and free swap space.
    static func byteCount(in text: String) -> Int? {
        var kibibytes: [Substring: Int] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(whereSeparator: \.isWhitespace)
            if words.count == 3, words[2] == "kB", let count = Int(words[1]) { kibibytes[words[0]] = count }
        }
        guard let available = kibibytes["MemAvailable:"] else { return nil }
        let (sum, overflow) = available.addingReportingOverflow(kibibytes["SwapFree:"] ?? 0)
        return overflow || sum > Int.max / 1024 ? nil : sum * 1024
    }
}

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The memory of this process.
enum ProcessMemory {
    /// The largest resident set so far in bytes, or nil if the system does not tell.
    static var peakResidentByteCount: Int? {
        #if canImport(Darwin)
            var usage = rusage()
            guard getrusage(RUSAGE_SELF, &usage) == 0 else { return nil }
            return usage.ru_maxrss
        #else
            // Not ru_maxrss, which begins with the memory of the process that started this one.
            guard let stream = fopen("/proc/self/status", "r") else { return nil }
            defer { fclose(stream) }
            var line = [CChar](repeating: 0, count: 256)
            while fgets(&line, Int32(line.count), stream) != nil {
                let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                let words = text.split(whereSeparator: \.isWhitespace)
                if words.first == "VmHWM:", words.count == 3, let kibibytes = Int(words[1]) { return kibibytes * 1024 }
            }
            return nil
        #endif
    }
}

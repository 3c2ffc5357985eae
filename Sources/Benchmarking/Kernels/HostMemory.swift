#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Caches and memory of this machine.
enum HostMemory {
    /// Where the system does not say: more than most machines have.
    private static let assumedCacheByteCount = 64 << 20

    #if canImport(Darwin)
        /// The bytes of the last-level caches of all cores.
        static var cacheByteCount: Int {
            max(control("hw.l3cachesize") ?? 0, control("hw.perflevel0.l2cachesize") ?? 0, assumedCacheByteCount)
        }

        /// The bytes of physical memory.
        static var byteCount: Int { control("hw.memsize") ?? .max }

        private static func control(_ name: String) -> Int? {
            var value: Int64 = 0
            var size = MemoryLayout<Int64>.size
            return sysctlbyname(name, &value, &size, nil, 0) == 0 ? Int(value) : nil
        }
    #else
        /// The bytes of the last-level caches of all cores.
        static var cacheByteCount: Int {
            let cpus = (0..<max(1, sysconf(Int32(_SC_NPROCESSORS_CONF)))).map {
                "/sys/devices/system/cpu/cpu\($0)/cache/"
            }
            for index in ["index3", "index2"] {
                // Processors with the same list share one cache.
                var sizes: [String: Int] = [:]
                for cpu in cpus {
                    guard let sharers = line(of: cpu + index + "/shared_cpu_list"),
                        let size = line(of: cpu + index + "/size").flatMap({ byteCount(ofCache: $0) })
                    else { continue }
                    sizes[sharers] = size
                }
                if !sizes.isEmpty { return sizes.values.reduce(0, +) }
            }
            return assumedCacheByteCount
        }

        /// The bytes of physical memory.
        static var byteCount: Int {
            let (pageCount, pageSize) = (sysconf(Int32(_SC_PHYS_PAGES)), sysconf(Int32(_SC_PAGESIZE)))
            return pageCount > 0 && pageSize > 0 ? pageCount * pageSize : .max
        }

        /// The first line of a small file of `/sys`, or nil.
        private static func line(of path: String) -> String? {
            let file = open(path, O_RDONLY | O_CLOEXEC)
            guard file >= 0 else { return nil }
            defer { close(file) }
            var bytes = [UInt8](repeating: 0, count: 4096)
            let count = bytes.withUnsafeMutableBytes { read(file, $0.baseAddress, $0.count) }
            return count > 0
                ? String(decoding: bytes[..<count].prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self) : nil
        }
    #endif

    /// The bytes of a cache as Linux writes them, `32768K`.
    static func byteCount(ofCache text: String) -> Int? {
        let units = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30]
        guard let unit = text.last.flatMap({ units[String($0)] }), let count = Int(text.dropLast()) else {
            return Int(text)
        }
        let (byteCount, overflow) = count.multipliedReportingOverflow(by: unit)
        return overflow ? nil : byteCount
    }
}

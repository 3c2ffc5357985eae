#if canImport(Darwin)
    import Darwin
#endif

/// How many processors this process may use at the same time.
struct ProcessorCount: Equatable {
    /// Hardware threads, at most the process's CPU quota.
    let logical: Int
    /// Cores, with hyperthread siblings counted once, at most the process's CPU quota.
    let physical: Int

    /// The counts of this process, found once.
    static let system = current()
}

#if canImport(Darwin)
    extension ProcessorCount {
        private static func current() -> ProcessorCount {
            let logical = control("hw.logicalcpu") ?? 1
            // The performance cores where there are two kinds: an operation waits for its slowest thread.
            return ProcessorCount(
                logical: logical, physical: control("hw.perflevel0.physicalcpu") ?? control("hw.physicalcpu") ?? logical
            )
        }

        private static func control(_ name: String) -> Int? {
            var value: Int32 = 0
            var size = MemoryLayout<Int32>.size
            guard sysctlbyname(name, &value, &size, nil, 0) == 0, value > 0 else { return nil }
            return Int(value)
        }
    }
#else
    extension ProcessorCount {
        private static func current() -> ProcessorCount { ProcessorCount(reading: SystemFile.contents) }
    }
#endif

extension ProcessorCount {
    /// Counts the processors of a Linux system.
    ///
    /// - Parameter contents: gives the contents of a file of `/proc` or `/sys`, or nil.
    init(reading contents: (String) -> String?) {
        let affinity = Self.affinity(reading: contents)
        let topology = { (cpu: Int) in "/sys/devices/system/cpu/cpu\(cpu)/topology/thread_siblings_list" }
        // A core is known by its list of siblings; a processor without a list is a core by itself.
        let cores = Set(affinity.map { contents(topology($0))?.trimmed ?? "\($0)" })
        let quota = Self.quota(reading: contents) ?? .max
        logical = max(1, min(affinity.count, quota))
        physical = max(1, min(cores.count, quota))
    }

    /// The processors this process may run on: the line "Cpus_allowed_list: 0-3,8" of its status.
    private static func affinity(reading contents: (String) -> String?) -> [Int] {
        let lines = (contents("/proc/self/status") ?? "").split(separator: "\n")
        guard let list = lines.first(where: { $0.hasPrefix("Cpus_allowed_list:") })?.split(separator: ":").last else {
            return [0]
        }
        return String(list).trimmed.split(separator: ",").flatMap { range in
            let bounds = range.split(separator: "-").compactMap { Int($0) }
            guard let first = bounds.first, let last = bounds.last, first <= last else { return [Int]() }
            return Array(first...last)
        }
    }

    /// The CPU quota of the process's control groups in processors, rounded up; nil if there is none.
    private static func quota(reading contents: (String) -> String?) -> Int? {
        ControlGroup.limiting("cpu", reading: contents).compactMap { group in
            switch group.version {
            case .one:
                let parts = ["cpu.cfs_quota_us", "cpu.cfs_period_us"].map { contents("\(group.folder)/\($0)") ?? "" }
                return processors(parts.joined(separator: " "))
            case .two: return contents("\(group.folder)/cpu.max").flatMap(processors)
            }
        }.min()
    }

    /// "150000 100000" (microseconds of quota and period) is 2 processors; "max 100000" and "-1 100000" are no limit.
    private static func processors(_ limit: String) -> Int? {
        let numbers = limit.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
        guard numbers.count == 2, numbers[0] > 0, numbers[1] > 0 else { return nil }
        return (numbers[0] - 1) / numbers[1] + 1
    }
}

extension String {
    fileprivate var trimmed: String { String(split(whereSeparator: \.isWhitespace).joined(separator: " ")) }
}

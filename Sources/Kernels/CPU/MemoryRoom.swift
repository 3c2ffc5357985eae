/// How much more memory Linux, or one of its control groups, lets a process take.
struct MemoryRoom {
    /// Bytes of memory; nil if nothing is said of them, or they have no limit.
    private var memory: Int?
    /// Bytes of swap space, likewise.
    private var swap: Int?
    /// Bytes of both together, likewise: what version 1 limits besides memory.
    private var sum: Int?

    /// What `/proc/meminfo` counts as available, and as free swap space.
    init(ofSystem text: String) {
        memory = Self.number("MemAvailable:", in: text).flatMap(Self.bytes(ofKibibytes:))
        swap = Self.number("SwapFree:", in: text).flatMap(Self.bytes(ofKibibytes:)) ?? 0
    }

    /// What is left of a group's limits.
    ///
    /// - Parameter contents: gives the contents of a file of `/sys`, or nil.
    init(of group: ControlGroup, reading contents: (String) -> String?) {
        func file(_ name: String) -> String? { contents("\(group.folder)/\(name)") }
        // Linux takes back the pages of files before it ends a process, and its own count of available memory has them too.
        // Without the prefix, version 1's counts leave a group's descendants out.
        let (prefix, statistics) = (group.version == .one ? "total_" : "", file("memory.stat") ?? "")
        let pages = ["inactive_file", "active_file"].compactMap { Self.number(prefix + $0, in: statistics) }
        switch group.version {
        case .one:
            memory = Self.rest(of: file("memory.limit_in_bytes"), file("memory.usage_in_bytes"), reclaimable: pages)
            sum = Self.rest(
                of: file("memory.memsw.limit_in_bytes"), file("memory.memsw.usage_in_bytes"), reclaimable: pages)
        case .two:
            memory = Self.rest(of: file("memory.max"), file("memory.current"), reclaimable: pages)
            swap = Self.rest(of: file("memory.swap.max"), file("memory.swap.current"), reclaimable: [])
        }
    }

    /// Takes the smaller of both for each kind.
    mutating func limit(to other: MemoryRoom) {
        for kind in [\MemoryRoom.memory, \.swap, \.sum] {
            self[keyPath: kind] = [self[keyPath: kind], other[keyPath: kind]].compactMap(\.self).min()
        }
    }

    /// The bytes of memory and swap space; nil if nothing is said of them.
    var byteCount: Int? {
        let separately = memory.map { memory in
            let (sum, overflow) = memory.addingReportingOverflow(swap ?? 0)
            return overflow ? .max : sum
        }
        return [separately, sum].compactMap(\.self).min()
    }

    /// A limit less what is used of it, where pages that Linux would take back count as unused; "max" is no limit.
    private static func rest(of limit: String?, _ usage: String?, reclaimable pages: [Int]) -> Int? {
        let numbers = [limit, usage].compactMap { $0.flatMap { count($0[...]) } }
        guard numbers.count == 2 else { return nil }
        return max(0, numbers[0] - pages.reduce(numbers[1]) { max(0, $0 - $1) })
    }

    /// The number of a line "name number" or "name number kB".
    private static func number(_ name: String, in text: String) -> Int? {
        for line in text.split(separator: "\n") {
            let words = line.split(whereSeparator: \.isWhitespace)
            if words.count >= 2, words[0] == name { return count(words[1]) }
        }
        return nil
    }

    /// A number that is not negative, up to a line's end.
    private static func count(_ text: Substring) -> Int? {
        text.split(whereSeparator: \.isWhitespace).first.flatMap { Int($0) }.flatMap { $0 >= 0 ? $0 : nil }
    }

    private static func bytes(ofKibibytes count: Int) -> Int? {
        let (bytes, overflow) = count.multipliedReportingOverflow(by: 1024)
        return overflow ? nil : bytes
    }
}

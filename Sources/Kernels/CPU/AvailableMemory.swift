/// What the system can still give to this process.
enum AvailableMemory {
    /// Makes sure, as far as the system tells, that there is memory for what is about to be written.
    ///
    /// Linux reserves memory that it does not have, and then ends the process that writes to it.
    ///
    /// - Parameters:
    ///   - byteCounts: added up.
    ///   - name: of the layer or what else takes them, for the message.
    /// - Throws: ``KernelError`` if there is not that much memory.
    static func require(
        _ byteCounts: some Sequence<Int>, of available: Int? = byteCount, for name: String
    ) throws(KernelError) {
        let needed = byteCounts.reduce(0) { sum, count in
            let (sum, overflow) = sum.addingReportingOverflow(count)
            return overflow ? .max : sum
        }
        guard let available, needed > available else { return }
        throw KernelError("\(name): no memory for \(needed) bytes, \(available) are available")
    }

    /// The bytes, or nil where the system does not tell.
    static var byteCount: Int? {
        #if os(Linux)
            return byteCount(reading: SystemFile.contents)
        #else
            return nil
        #endif
    }

    /// The bytes that Linux has, or fewer where the process's control groups are limited; nil if nothing tells.
    ///
    /// - Parameter contents: gives the contents of a file of `/proc` or `/sys`, or nil.
    static func byteCount(reading contents: (String) -> String?) -> Int? {
        var room = MemoryRoom(ofSystem: contents("/proc/meminfo") ?? "")
        for group in ControlGroup.limiting("memory", reading: contents) {
            room.limit(to: MemoryRoom(of: group, reading: contents))
        }
        return room.byteCount
    }
}

/// Code for one kind of GPU, with what the compiler said about it.
public struct CompiledProgram: Sendable, Equatable {
    /// What a kernel needs of an SM.
    public struct Resources: Sendable, Equatable {
        /// The kernel's name.
        public var name: String
        /// How many registers a thread has.
        public var registerCount = 0
        /// How much shared memory a block has by the source.
        public var sharedByteCount = 0
        /// How much local memory a thread has, for arrays that are not in registers and for spills.
        public var stackByteCount = 0
        /// How many bytes of registers a thread puts into local memory, because there are too few.
        public var spillStoreByteCount = 0
        /// How many bytes it reads back.
        public var spillLoadByteCount = 0
    }

    /// The code, an ELF file.
    public let cubin: [UInt8]
    /// Warnings and the report about each kernel.
    public let log: String

    /// Code and the compiler's words.
    public init(cubin: [UInt8], log: String) {
        self.cubin = cubin
        self.log = log
    }

    /// What each kernel needs, read from the log.
    public var resources: [Resources] {
        var resources: [Resources] = []
        for line in log.split(separator: "\n") {
            if let name = Self.text(between: "Compiling entry function '", and: "'", in: line) {
                resources.append(Resources(name: name))
            }
            guard !resources.isEmpty else { continue }
            let last = resources.count - 1
            if line.contains("bytes stack frame") {
                resources[last].stackByteCount = Self.number(before: " bytes stack frame", in: line)
                resources[last].spillStoreByteCount = Self.number(before: " bytes spill stores", in: line)
                resources[last].spillLoadByteCount = Self.number(before: " bytes spill loads", in: line)
            }
            if line.contains(" registers") {
                resources[last].registerCount = Self.number(before: " registers", in: line)
                resources[last].sharedByteCount = Self.number(before: " bytes smem", in: line)
            }
        }
        return resources
    }

    private static func text(between start: String, and end: Character, in line: Substring) -> String? {
        guard let range = line.firstRange(of: start) else { return nil }
        return String(line[range.upperBound...].prefix { $0 != end })
    }

    /// The number before some words; 0 if they are not there.
    private static func number(before words: String, in line: Substring) -> Int {
        guard let range = line.firstRange(of: words) else { return 0 }
        let digits = line[..<range.lowerBound].reversed().prefix { $0.isNumber }
        return Int(String(digits.reversed())) ?? 0
    }
}

internal import Dispatch
internal import Synchronization

/// Compiled kernels, kept in memory and in a folder, so that each is compiled once for a machine.
///
/// A program's key is the hash of its text, its headers, its options, the GPU's architecture and the compiler's version;
/// there is nothing to invalidate, and the folder may be deleted at any time. Files appear whole (written under another
/// name, flushed, renamed), so any number of processes can share a folder; two that compile the same program write the
/// same file. A damaged file is compiled again and replaced. Without a usable folder everything works, only slower.
public final class KernelCache: Sendable {
    /// What happened to the programs asked for so far.
    public struct Statistics: Sendable, Equatable {
        /// How many were compiled.
        public var compiledCount = 0
        /// How many were read from the folder.
        public var readCount = 0
        /// The time that the compiler took, all threads together.
        public var compileTime: Duration = .zero
    }

    /// The compiler.
    public let compiler: Compiler
    /// The folder; nil to keep nothing on disk.
    public let folder: String?

    private let note: @Sendable (String) -> Void
    private let slots = Mutex<[String: Slot]>([:])
    private let modules = Mutex<[ModuleKey: Module]>([:])
    private let counters = Mutex(Statistics())
    private let hasNoted = Mutex(false)

    /// A program's place; its lock is held while the program is compiled, so that other threads wait for this one
    /// program and not for all.
    private final class Slot: Sendable {
        let program = Mutex<CompiledProgram?>(nil)
    }

    private struct ModuleKey: Hashable {
        let program: String
        let context: ObjectIdentifier
    }

    /// A cache over a folder, which is made when the first program is kept.
    ///
    /// - Parameter note: told once, in one line, if the folder cannot be written to.
    public init(compiler: Compiler, folder: String?, note: @escaping @Sendable (String) -> Void = { _ in }) {
        self.compiler = compiler
        self.folder = folder
        self.note = note
    }

    /// What happened so far.
    public var statistics: Statistics { counters.withLock { $0 } }

    /// The files of compiled kernels in a folder, `copy-sm_90a-<key>.cubin`, sorted; none if there is no such folder.
    public static func entries(in folder: String) -> [String] {
        ((try? Files.names(below: folder)) ?? []).filter { $0.hasSuffix(".cubin") }
    }

    /// A program's code: from memory, from the folder, or compiled now.
    ///
    /// - Throws: ``CUDAError`` of the compiler.
    public func compiled(_ program: KernelProgram) throws(CUDAError) -> CompiledProgram {
        try compiled(program, key: program.contentHash(compiler: compiler.version))
    }

    /// Compiles programs, as many at a time as there are processors, so that later calls find them.
    ///
    /// - Throws: ``CUDAError`` of the first program that cannot be compiled.
    public func compile(_ programs: [KernelProgram]) throws(CUDAError) {
        let failures = Mutex<[Int: CUDAError]>([:])
        DispatchQueue.concurrentPerform(iterations: programs.count) { index in
            do throws(CUDAError) {
                _ = try compiled(programs[index])
            } catch {
                failures.withLock { $0[index] = error }
            }
        }
        if let first = failures.withLock({ failures in failures.min { $0.key < $1.key } }) { throw first.value }
    }

    /// A program loaded into a GPU: once for each context, which the cache then keeps in use.
    ///
    /// - Throws: ``CUDAError`` of the compiler or the driver.
    public func module(_ program: KernelProgram, in context: Context) throws(CUDAError) -> Module {
        let key = program.contentHash(compiler: compiler.version)
        let moduleKey = ModuleKey(program: key, context: ObjectIdentifier(context))
        if let module = modules.withLock({ $0[moduleKey] }) { return module }
        let module = try Module(context, cubin: try compiled(program, key: key).cubin, name: program.name)
        return modules.withLock { modules in
            // Another thread may have been faster; its module is the one that everybody uses.
            if let first = modules[moduleKey] { return first }
            modules[moduleKey] = module
            return module
        }
    }

    private func compiled(_ program: KernelProgram, key: String) throws(CUDAError) -> CompiledProgram {
        let slot = slots.withLock { slots in
            if let slot = slots[key] { return slot }
            let slot = Slot()
            slots[key] = slot
            return slot
        }
        return try slot.program.withLock { kept throws(CUDAError) in
            if let kept { return kept }
            let path = folder.map { "\($0)/\(Self.fileName(program, key: key))" }
            if let path, let read = read(path, key: key) {
                kept = read
                return read
            }
            let clock = ContinuousClock()
            let start = clock.now
            let compiled = try compiler.compile(program)
            let time = clock.now - start
            counters.withLock {
                $0.compiledCount += 1
                $0.compileTime += time
            }
            if let folder, let path { write(CacheEntry(compiled, key: key), to: path, in: folder) }
            kept = compiled
            return compiled
        }
    }

    private func read(_ path: String, key: String) -> CompiledProgram? {
        // Missing and unreadable mean the same here: compile it.
        guard let bytes = try? Files.read(path, maximumByteCount: 1 << 28),
            let program = CacheEntry(bytes: bytes).program(key: key)
        else { return nil }
        counters.withLock { $0.readCount += 1 }
        return program
    }

    private func write(_ entry: CacheEntry, to path: String, in folder: String) {
        do {
            try Files.makeFolder(folder)
            try Files.replace(path, with: entry.bytes)
        } catch {
            let isFirst = hasNoted.withLock { hasNoted in
                defer { hasNoted = true }
                return !hasNoted
            }
            if isFirst { note("kernels are compiled anew in every process, the kernel cache cannot be used: \(error)") }
        }
    }

    /// A name that tells a person what is inside: `copy-sm_90a-<key>.cubin`.
    private static func fileName(_ program: KernelProgram, key: String) -> String {
        let stem = (program.name.split(separator: "/").last ?? "kernel").prefix { $0 != "." }
        return "\(stem)-\(program.architecture)-\(key).cubin"
    }
}

import Synchronization
import TestSupport
import Testing

@testable import CUDA

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

extension FakeDriverTests {
    @Suite("Kernel cache")
    struct KernelCacheTests {
        let fake: FakeCUDA
        private let temporary: TemporaryFolder
        /// The cache's own, which is not there yet.
        private var folder: String { temporary.path("cache") }

        init() throws {
            fake = try FakeCUDA()
            temporary = try TemporaryFolder()
        }

        private func files() throws -> [String] { access(folder, F_OK) == 0 ? try Files.names(below: folder) : [] }

        @Test("compiles once for a machine: then memory, then the folder")
        func hits() throws {
            let program = try program("a")
            let cache = KernelCache(compiler: try fake.compiler(), folder: folder)
            let compiled = try cache.compiled(program)
            #expect(try cache.compiled(program) == compiled)
            #expect(cache.statistics.compiledCount == 1 && cache.statistics.readCount == 0)
            let later = KernelCache(compiler: try fake.compiler(), folder: folder)
            #expect(try later.compiled(program) == compiled)
            #expect(later.statistics.compiledCount == 0 && later.statistics.readCount == 1)
            #expect(compiled.resources.first?.registerCount == 40)
        }

        @Test("another source, option or compiler is another entry")
        func misses() throws {
            let cache = KernelCache(compiler: try fake.compiler(), folder: folder)
            _ = try cache.compiled(try program("a"))
            _ = try cache.compiled(try program("b"))
            _ = try cache.compiled(try program("a", options: ["--use_fast_math"]))
            #expect(cache.statistics.compiledCount == 3)
            try fake.setCompilerVersion(13, 1)
            let later = KernelCache(compiler: try fake.compiler(), folder: folder)
            _ = try later.compiled(try program("a"))
            #expect(later.statistics.compiledCount == 1)
            #expect(try files().count == 4)
            #expect(KernelCache.entries(in: folder) == (try files()).sorted())
            #expect(KernelCache.entries(in: folder + "/missing").isEmpty)
        }

        @Test("a damaged entry is compiled again and replaced, whichever byte is wrong")
        func damaged() throws {
            let program = try program("a")
            let compiler = try fake.compiler()
            let compiled = try KernelCache(compiler: compiler, folder: folder).compiled(program)
            let name = try #require(try files().first)
            let path = "\(folder)/\(name)"
            let whole = try Files.read(path, maximumByteCount: 1 << 20)
            var damages = [
                [], [UInt8](whole.dropLast()), whole + [0], Array(whole.dropFirst()), Array(whole.suffix(64)),
            ]
            for index in stride(from: 0, to: whole.count, by: 7) {
                damages.append(whole)
                damages[damages.count - 1][index] ^= 1
            }
            for (number, damage) in damages.enumerated() {
                try Files.replace(path, with: damage)
                let cache = KernelCache(compiler: compiler, folder: folder)
                #expect(try cache.compiled(program) == compiled)
                #expect(cache.statistics.compiledCount == 1, "damage \(number)")
                #expect(try Files.read(path, maximumByteCount: 1 << 20) == whole)
            }
        }

        @Test("an entry that was renamed to another key is not used")
        func renamed() throws {
            let compiler = try fake.compiler()
            _ = try KernelCache(compiler: compiler, folder: folder).compiled(try program("a"))
            let name = try #require(try files().first)
            let otherKey = try program("b").contentHash(compiler: compiler.version)
            let content = try Files.read("\(folder)/\(name)", maximumByteCount: 1 << 20)
            try Files.replace("\(folder)/test-sm_90a-\(otherKey).cubin", with: content)
            let cache = KernelCache(compiler: compiler, folder: folder)
            _ = try cache.compiled(try program("b"))
            #expect(cache.statistics.compiledCount == 1)
        }

        @Test("a folder that cannot be used costs compiling, and is noted once")
        func unusable() throws {
            let file = "\(folder)/file"
            try Files.makeFolder(folder)
            try Files.replace(file, with: [1])
            let notes = Notes()
            let cache = KernelCache(compiler: try fake.compiler(), folder: "\(file)/cache") { note in
                notes.texts.withLock { $0.append(note) }
            }
            _ = try cache.compiled(try program("a"))
            _ = try cache.compiled(try program("b"))
            #expect(cache.statistics.compiledCount == 2)
            let texts = notes.texts.withLock { $0 }
            #expect(texts.count == 1)
            #expect(texts.first?.contains("\(file)/cache") == true)
        }

        @Test("a read-only folder with the entry needs no writing")
        func readOnly() throws {
            let program = try program("a")
            let compiler = try fake.compiler()
            _ = try KernelCache(compiler: compiler, folder: folder).compiled(program)
            #expect(chmod(folder, 0o500) == 0)
            defer { chmod(folder, 0o700) }
            let cache = KernelCache(compiler: compiler, folder: folder) { Issue.record("noted: \($0)") }
            _ = try cache.compiled(program)
            #expect(cache.statistics.readCount == 1)
        }

        @Test("threads that want the same program share one compilation")
        func threads() async throws {
            let cache = KernelCache(compiler: try fake.compiler(), folder: folder)
            let programs = try ["a", "b", "c"].map { try program($0) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<48 { group.addTask { _ = try cache.compiled(programs[index % 3]) } }
                try await group.waitForAll()
            }
            #expect(cache.statistics.compiledCount == 3)
        }

        @Test("a mistake in a program is not kept")
        func mistake() throws {
            let cache = KernelCache(compiler: try fake.compiler(), folder: folder)
            let wrong = try KernelSources(files: ["w.cu": "#error"]).program("w.cu", for: Architecture(9, 0))
            for _ in 0..<2 { #expect(throws: CUDAError.self) { try cache.compiled(wrong) } }
            #expect(try files().isEmpty)
        }

        @Test("a module is loaded once for each context")
        func modules() throws {
            let context = try fake.context()
            let cache = KernelCache(compiler: try fake.compiler(), folder: nil)
            let program = try program("a")
            let module = try cache.module(program, in: context)
            #expect(try cache.module(program, in: context) === module)
            #expect(try cache.module(program, in: try fake.context()) !== module)
            #expect(try fake.calls().count { $0 == "cuModuleLoadData" } == 2)
        }

        @Test("processes that fill one folder at the same time leave whole entries and nothing else")
        func processes() throws {
            let programCount = 20
            let processes = try (0..<6).map { _ in
                try ChildProcess(
                    "\(FakeCUDA.buildFolder)/CacheProcess", [FakeCUDA.path, folder, "\(programCount)"])
            }
            for process in processes { #expect(try process.wait() == 0) }
            let files = try files()
            #expect(files.count == programCount)
            #expect(files.allSatisfy { $0.hasSuffix(".cubin") })
            let cache = KernelCache(compiler: try fake.compiler(), folder: folder)
            for index in 0..<programCount { _ = try cache.compiled(try program("kernel_\(index)")) }
            #expect(cache.statistics.readCount == programCount)
        }

        private func program(_ name: String, options: [String] = []) throws -> KernelProgram {
            try KernelSources(files: ["test.cu": "extern \"C\" __global__ void \(name)(int n) {}"])
                .program("test.cu", for: Architecture(9, 0), options: options)
        }
    }

    /// What a cache noted.
    final class Notes: Sendable {
        let texts = Mutex<[String]>([])
    }
}

import ModelFiles
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite struct MappedFileTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func failure(_ path: String) -> ModelFileError? {
        #expect(throws: ModelFileError.self) { try MappedFile(path: path) }
    }

    @Test("a program that asks for it ends with a message when bytes of a file are gone")
    func lostBytes() async throws {
        // In this process, whose folder is deleted.
        let path = try folder.write([UInt8](repeating: 1, count: 1 << 20), to: "shortened")
        let otherPaths = try (0..<2).map { try folder.write([1], to: "other \($0)") }
        let result = await #expect(processExitsWith: .exitCode(1), observing: [\.standardErrorContent]) {
            [path = path as String, otherPaths = otherPaths as [String]] in
            MappedFile.exitOnLostBytes()
            let others = try otherPaths.map { try MappedFile(path: $0) }
            let file = try MappedFile(path: path)
            truncate(path, 0)
            let sum = file.withBytes { $0.reduce(0) { $0 + Int($1) } }
            exit(sum == 0 && others.isEmpty ? 2 : 3)
        }
        let errors = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(errors.contains("shortened: the file became shorter while it was being read"))
    }

    @Test("maps a file, also an empty one and one behind a link")
    func maps() throws {
        let path = try folder.write([1, 2, 3], to: "file")
        try folder.link("link", to: path)
        #expect(try MappedFile(path: path).withBytes { Array($0) } == [1, 2, 3])
        #expect(try MappedFile(path: folder.path("link")).withBytes { Array($0) } == [1, 2, 3])
        let empty = try MappedFile(path: folder.write([], to: "empty"))
        #expect(empty.bytes.isEmpty)
        empty.discard(0..<0)
        try empty.checkUnchanged()
    }

    @Test("refuses what is not a regular file, without waiting")
    func refusesOthers() throws {
        let pipe = folder.path("pipe")
        #expect(mkfifo(pipe, 0o600) == 0)
        for path in [pipe, folder.path, "/dev/zero"] {
            #expect(failure(path)?.code == .inaccessible)
            #expect(failure(path)?.message.contains("regular file") == true)
        }
    }

    @Test("refuses a missing file and a path with a zero byte")
    func refusesMissing() throws {
        #expect(failure(folder.path("missing"))?.message.contains("No such file") == true)
        try folder.write([1], to: "file")
        #expect(failure(folder.path("file\0.txt"))?.message.contains("zero byte") == true)
    }

    @Test("notices when the file is shortened, extended or rewritten")
    func noticesChanges() throws {
        let path = try folder.write([UInt8](repeating: 7, count: 10_000), to: "file")
        let file = try MappedFile(path: path)
        try file.checkUnchanged()
        #expect(truncate(path, 100) == 0)
        let error = #expect(throws: ModelFileError.self) { try file.checkUnchanged() }
        #expect(error?.message.contains("10000 bytes, now 100") == true)
        #expect(truncate(path, 10_000) == 0)
        var times = [timespec(tv_sec: 1, tv_nsec: 0), timespec(tv_sec: 1, tv_nsec: 0)]
        #expect(utimensat(AT_FDCWD, path, &times, 0) == 0)
        #expect(throws: ModelFileError.self) { try file.checkUnchanged() }
    }

    @Test("keeps the bytes of a file that is deleted or replaced by name")
    func survivesReplacement() throws {
        let path = try folder.write([1, 2, 3], to: "file")
        let file = try MappedFile(path: path)
        #expect(unlink(path) == 0)
        try folder.write([4], to: "file")
        try file.checkUnchanged()
        #expect(file.withBytes { Array($0) } == [1, 2, 3])
    }

    @Test("reads discarded pages again, and ignores ranges outside the file")
    func discards() throws {
        let contents = (0..<50_000).map { UInt8(truncatingIfNeeded: $0 / 3) }
        let file = try MappedFile(path: folder.write(contents, to: "file"))
        for range in [0..<50_000, 1..<4096, 5000..<20_000, 49_999..<50_000, -5..<100_000, 60_000..<70_000] {
            file.discard(range)
            #expect(file.withBytes { $0.elementsEqual(contents) })
        }
    }

    @Test("fetches any range, also outside the file")
    func prefetches() throws {
        let contents = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
        let file = try MappedFile(path: folder.write(contents, to: "file"))
        for range in [0..<300_000, 1..<2, 131_071..<131_073, -5..<1_000_000, 400_000..<500_000, 7..<7] {
            file.discard(0..<300_000)
            file.prefetch(range)
            #expect(file.withBytes { $0.elementsEqual(contents) })
        }
        try MappedFile(path: folder.write([], to: "empty")).prefetch(0..<10)
    }

    #if os(Linux)
        @Test("gives the memory of discarded pages back")
        func discardsMemory() throws {
            let pageSize = Int(sysconf(Int32(_SC_PAGESIZE)))
            let pageCount = 4 * (64 << 10) / pageSize
            let contents = [UInt8](repeating: 1, count: pageCount * pageSize)
            let file = try MappedFile(path: folder.write(contents, to: "file"))
            #expect(file.withBytes { $0.elementsEqual(contents) })
            #expect(try residentPageCount(of: file) == pageCount)
            // Part of the second and third of four runs of 64 KiB.
            file.discard((127 << 10)..<(129 << 10))
            #expect(try residentPageCount(of: file) == pageCount / 2)
            file.discard(1..<(pageCount * pageSize - 1))
            #expect(try residentPageCount(of: file) == 0)
        }

        /// How many pages of the mapping this process has in its page table (`Rss` of `/proc/self/smaps`).
        private func residentPageCount(of file: MappedFile) throws -> Int {
            let stream = try #require(fopen("/proc/self/smaps", "r"))
            defer { fclose(stream) }
            var line = [CChar](repeating: 0, count: 8192)
            var isInMapping = false
            while fgets(&line, Int32(line.count), stream) != nil {
                let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                if text.contains(file.path) { isInMapping = true }
                let words = text.split(separator: " ")
                if isInMapping, words.first == "Rss:", let kibibytes = Int(words[1]) {
                    return kibibytes * 1024 / Int(sysconf(Int32(_SC_PAGESIZE)))
                }
            }
            return 0
        }
    #endif
}

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// A regular file mapped into memory for reading.
///
/// The bytes are read from disk when they are first touched. Should another program shorten the file, touching the
/// bytes that are gone ends the process, with a message if it has asked for one (``exitOnLostBytes()``); call
/// ``checkUnchanged()`` before using bytes again after a while.
///
/// All properties are immutable, which makes sharing between threads safe; the bytes are never written through it.
public final class MappedFile: @unchecked Sendable {
    /// The path that was opened.
    public let path: String
    /// The whole file, valid as long as this object lives; the first byte is aligned to a page.
    ///
    /// Swift may let an object go after its last use: whoever does not keep the object itself beyond the last use of the
    /// bytes calls ``withBytes(_:)`` instead.
    public let bytes: UnsafeRawBufferPointer

    private let descriptor: Int32
    private let identity: Identity
    /// Whether the system says which pages are in memory: Linux does to the owner of a file and to who may write it, and
    /// tells others that all are.
    private let tellsResidency: Bool

    /// Maps the file at `path`, which may be empty.
    ///
    /// - Throws: ``ModelFileError`` with code `inaccessible` if it is missing, unreadable, or a folder, device or pipe.
    public init(path: String) throws(ModelFileError) {
        func failure(_ message: String) -> ModelFileError { ModelFileError(.inaccessible, file: path, message) }
        guard !path.utf8.contains(0) else { throw failure("a path cannot contain a zero byte") }
        // Without O_NONBLOCK opening a pipe would wait for a writer.
        let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("cannot open the file: \(FileSystem.lastErrorText())") }
        var isComplete = false
        defer { if !isComplete { close(descriptor) } }

        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure(FileSystem.lastErrorText()) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw failure("expected a regular file") }
        let identity = Identity(status)
        guard let byteCount = Int(exactly: identity.byteCount) else { throw failure("the file is too large") }
        if byteCount == 0 {
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
        } else {
            let address = mmap(nil, byteCount, PROT_READ, MAP_PRIVATE, descriptor, 0)
            guard let address, address != MAP_FAILED else {
                throw failure("cannot map the file: \(FileSystem.lastErrorText())")
            }
            bytes = UnsafeRawBufferPointer(start: address, count: byteCount)
        }
        self.path = path
        self.descriptor = descriptor
        self.identity = identity
        tellsResidency = status.st_uid == geteuid() || access(path, W_OK) == 0
        isComplete = true
        noteMapping()
    }

    deinit {
        forgetMapping()
        if let address = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: address), bytes.count) }
        close(descriptor)
    }

    /// Calls `body` with the whole file and keeps it mapped meanwhile.
    public func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        defer { extendLifetime(self) }
        return try body(bytes)
    }

    /// Makes sure that the file still has the size and modification time that it had when it was opened.
    ///
    /// - Throws: ``ModelFileError`` with code `inaccessible` if another program has changed it.
    public func checkUnchanged() throws(ModelFileError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw ModelFileError(.inaccessible, file: path, FileSystem.lastErrorText())
        }
        let current = Identity(status)
        guard current.byteCount == identity.byteCount else {
            throw ModelFileError(
                .inaccessible, file: path,
                "the file changed while it was open: it had \(identity.byteCount) bytes, now \(current.byteCount)")
        }
        guard current == identity else {
            throw ModelFileError(.inaccessible, file: path, "the file was written to while it was open")
        }
    }

    /// Gives back the memory of the pages that hold bytes of `range`; touching them again reads them again.
    ///
    /// Who copies a tensor elsewhere calls this afterwards, so that loading a model does not hold it twice. Neighbouring
    /// pages go with them, as far as the system maps them at the same touch.
    public func discard(_ range: Range<Int>) {
        // Linux maps up to 64 KiB, aligned, around a page that is touched. Advice cannot fail in a way that matters.
        forAlignedBytes(range, alignment: 64 << 10) { _ = madvise($0, $1, MADV_DONTNEED) }
    }

    /// Begins to read the bytes of `range` from disk, without waiting for them, unless the last of them are there.
    public func prefetch(_ range: Range<Int>) {
        // A disk delivers large requests half as fast again, but Linux reads no more for one advice than its read-ahead,
        // 128 KiB by default: so it is asked for all of a large step, and then for what it may have left out.
        let (largeByteCount, smallByteCount) = (1 << 20, 128 << 10)
        forAlignedBytes(range, alignment: smallByteCount) { address, byteCount in
            // A system that reads further ahead by itself does so with less work.
            guard !isInMemory(address + (byteCount - 1)) else { return }
            for start in stride(from: 0, to: byteCount, by: largeByteCount) {
                let end = min(start + largeByteCount, byteCount)
                _ = madvise(address + start, end - start, MADV_WILLNEED)
                for rest in stride(from: start + smallByteCount, to: end, by: smallByteCount) {
                    _ = madvise(address + rest, min(smallByteCount, end - rest), MADV_WILLNEED)
                }
            }
        }
    }

    /// Whether a byte has been read from disk, or is about to be; false where the system does not tell.
    private func isInMemory(_ address: UnsafeMutableRawPointer) -> Bool {
        #if os(Linux)
            guard tellsResidency else { return false }
            let pageSize = Int(sysconf(Int32(_SC_PAGESIZE)))
            let page = UnsafeMutableRawPointer(bitPattern: UInt(bitPattern: address) & ~UInt(pageSize - 1))
            var state: UInt8 = 0
            return mincore(page, pageSize, &state) == 0 && state & 1 != 0
        #else
            return false
        #endif
    }

    /// Calls `body` with the address and number of bytes of the part of the file that holds `range`.
    private func forAlignedBytes(
        _ range: Range<Int>, alignment: Int, _ body: (UnsafeMutableRawPointer, Int) -> Void
    ) {
        let range = range.clamped(to: 0..<bytes.count)
        guard let base = bytes.baseAddress, !range.isEmpty else { return }
        let start = range.lowerBound / alignment * alignment
        let end = min(bytes.count, (range.upperBound - 1) / alignment * alignment + alignment)
        body(UnsafeMutableRawPointer(mutating: base + start), end - start)
    }
}

/// What tells that a file has been changed.
private struct Identity: Equatable {
    let byteCount: Int64
    let seconds: Int
    let nanoseconds: Int

    init(_ status: stat) {
        #if canImport(Darwin)
            let modified = status.st_mtimespec
        #else
            let modified = status.st_mtim
        #endif
        byteCount = Int64(status.st_size)
        seconds = modified.tv_sec
        nanoseconds = modified.tv_nsec
    }
}

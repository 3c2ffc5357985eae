#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// A new file that is written from start to end, or replaced as a whole; it is deleted again unless one of them succeeds.
package struct OutputFile: ~Copyable {
    /// The path of the file.
    package let path: String
    private let descriptor: Int32
    private var isFinished = false

    /// Creates a file where nothing is yet.
    ///
    /// - Throws: ``ModelFileError`` with code `inaccessible` if something is at `path` or it cannot be written.
    package init(creating path: String) throws(ModelFileError) {
        guard !path.utf8.contains(0) else {
            throw ModelFileError(.inaccessible, file: path, "a path cannot contain a zero byte")
        }
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else {
            throw ModelFileError(.inaccessible, file: path, "cannot create the file: \(FileSystem.lastErrorText())")
        }
        self.init(descriptor: descriptor, path: path)
    }

    /// Takes over an open file.
    init(descriptor: Int32, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    deinit {
        close(descriptor)
        if !isFinished { unlink(path) }
    }

    /// Appends bytes.
    ///
    /// - Throws: ``ModelFileError`` with code `inaccessible` if they cannot be written, as when the disk is full.
    package mutating func write(_ bytes: UnsafeRawBufferPointer) throws(ModelFileError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let chunk = UnsafeRawBufferPointer(rebasing: rest)
            let count = Self.writeSome(chunk, to: descriptor)
            if count < 0 {
                if errno == EINTR { continue }
                throw ModelFileError(.inaccessible, file: path, "cannot write: \(FileSystem.lastErrorText())")
            }
            rest = rest.dropFirst(count)
        }
    }

    /// Replaces what the file holds; from then on it is kept.
    ///
    /// - Throws: ``ModelFileError`` with code `inaccessible` if the text cannot be written.
    package mutating func replace(with text: String) throws(ModelFileError) {
        guard ftruncate(descriptor, 0) == 0, lseek(descriptor, 0, SEEK_SET) == 0 else {
            throw ModelFileError(.inaccessible, file: path, "cannot write: \(FileSystem.lastErrorText())")
        }
        try Array(text.utf8).withUnsafeBufferPointer { (bytes) throws(ModelFileError) in
            try write(UnsafeRawBufferPointer(bytes))
        }
        isFinished = true
    }

    /// Makes sure that the bytes are on the disk, and keeps the file.
    ///
    /// - Throws: ``ModelFileError`` with code `inaccessible` if the disk refuses them; the file is deleted then.
    package consuming func finish() throws(ModelFileError) {
        guard fsync(descriptor) == 0 else {
            throw ModelFileError(.inaccessible, file: path, "cannot write: \(FileSystem.lastErrorText())")
        }
        isFinished = true
    }

    private static func writeSome(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int {
        #if canImport(Glibc)
            Glibc.write(descriptor, bytes.baseAddress, bytes.count)
        #else
            Darwin.write(descriptor, bytes.baseAddress, bytes.count)
        #endif
    }
}

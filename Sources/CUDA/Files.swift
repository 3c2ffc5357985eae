#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The few things that the kernel cache and the kernels' sources need of the file system.
enum Files {
    /// What could not be done, with the system's reason.
    struct Failure: Error, CustomStringConvertible {
        let description: String

        init(_ action: String, _ path: String) {
            description = "cannot \(action) \(path): \(String(cString: strerror(errno)))"
        }

        init(tooLarge path: String, _ maximumByteCount: Int) {
            description = "cannot read \(path): it has more than \(maximumByteCount) bytes"
        }
    }

    /// The content of a file.
    static func read(_ path: String, maximumByteCount: Int) throws(Failure) -> [UInt8] {
        // Without O_NONBLOCK opening a pipe would wait for a writer.
        let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure("open", path) }
        defer { close(descriptor) }
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = chunk.withUnsafeMutableBytes { Self.read(descriptor, $0) }
            guard count >= 0 else { throw Failure("read", path) }
            if count == 0 { return content }
            content += chunk[..<count]
            guard content.count <= maximumByteCount else { throw Failure(tooLarge: path, maximumByteCount) }
        }
    }

    /// Puts a file into place as a whole: a reader sees the old one or the new one, also after a loss of power.
    static func replace(_ path: String, with content: [UInt8]) throws(Failure) {
        let temporary = "\(path).\(getpid()).\(UInt64.random(in: 0 ... .max)).tmp"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Failure("write", temporary) }
        do throws(Failure) {
            defer { close(descriptor) }
            var written = 0
            while written < content.count {
                let count = content.withUnsafeBytes { write(descriptor, $0[written...]) }
                guard count >= 0 else { throw Failure("write", temporary) }
                written += count
            }
            guard fsync(descriptor) == 0 else { throw Failure("flush", temporary) }
            guard rename(temporary, path) == 0 else { throw Failure("rename a file to", path) }
        } catch {
            unlink(temporary)
            throw error
        }
    }

    /// Makes a folder, and those that it lies in, for this user alone.
    static func makeFolder(_ path: String) throws(Failure) {
        var end = path.startIndex
        while end < path.endIndex {
            end = path[end...].dropFirst().firstIndex(of: "/") ?? path.endIndex
            let folder = String(path[..<end])
            guard mkdir(folder, 0o700) == 0 || errno == EEXIST || errno == EISDIR else {
                // An existing folder on a read-only file system, say.
                guard access(folder, F_OK) == 0 else { throw Failure("make the folder", folder) }
                continue
            }
        }
    }

    /// The paths of the regular files in a folder and in folders in it, a few deep, relative to it, sorted.
    static func names(below folder: String) throws(Failure) -> [String] {
        var names: [String] = []
        var pending = [""]
        while let prefix = pending.popLast() {
            guard let directory = opendir(folder + "/" + prefix) else { throw Failure("open", folder + "/" + prefix) }
            defer { closedir(directory) }
            while let entry = readdir(directory) {
                let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                if name.hasPrefix(".") { continue }
                var status = stat()
                guard stat("\(folder)/\(prefix)\(name)", &status) == 0 else { continue }
                // Links can make a folder contain itself.
                let isDeep = prefix.count { $0 == "/" } >= 8
                if status.st_mode & S_IFMT == S_IFDIR && !isDeep { pending.append("\(prefix)\(name)/") }
                if status.st_mode & S_IFMT == S_IFREG { names.append(prefix + name) }
            }
        }
        return names.sorted()
    }

    private static func read(_ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
        #if canImport(Glibc)
            Glibc.read(descriptor, buffer.baseAddress, buffer.count)
        #else
            Darwin.read(descriptor, buffer.baseAddress, buffer.count)
        #endif
    }

    private static func write(_ descriptor: Int32, _ bytes: Slice<UnsafeRawBufferPointer>) -> Int {
        let bytes = UnsafeRawBufferPointer(rebasing: bytes)
        #if canImport(Glibc)
            return Glibc.write(descriptor, bytes.baseAddress, bytes.count)
        #else
            return Darwin.write(descriptor, bytes.baseAddress, bytes.count)
        #endif
    }
}

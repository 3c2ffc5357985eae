import ModelFiles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A new folder that is deleted with everything in it when the object goes.
public final class TemporaryFolder {
    /// What could not be made or written.
    public struct Failure: Error {
        /// Its path.
        public let path: String
    }

    /// The path of the folder.
    public let path: String

    /// Makes a folder below `$TMPDIR` or `/tmp`.
    public init() throws {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/nibble-tests-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure(path: base) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { Self.remove(path) }

    /// The path of an item in the folder.
    public func path(_ name: String) -> String { "\(path)/\(name)" }

    /// Writes a file, replacing what was there, and returns its path.
    @discardableResult
    public func write(_ bytes: some Sequence<UInt8>, to name: String) throws -> String {
        let bytes = Array(bytes)
        guard let file = fopen(path(name), "wb") else { throw Failure(path: path(name)) }
        defer { fclose(file) }
        guard fwrite(bytes, 1, bytes.count, file) == bytes.count else { throw Failure(path: path(name)) }
        return path(name)
    }

    /// Writes a text file, replacing what was there, and returns its path.
    @discardableResult
    public func write(_ text: String, to name: String) throws -> String { try write(text.utf8, to: name) }

    /// Makes a folder and those above it, and returns its path.
    @discardableResult
    public func makeFolder(_ name: String) throws -> String {
        var folder = path
        for part in name.split(separator: "/") {
            folder += "/" + part
            guard mkdir(folder, 0o777) == 0 || errno == EEXIST else { throw Failure(path: folder) }
        }
        return folder
    }

    /// Makes a symbolic link.
    public func link(_ name: String, to target: String) throws {
        guard symlink(target, path(name)) == 0 else { throw Failure(path: path(name)) }
    }

    /// Depth first, without following links.
    private static func remove(_ path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        if status.st_mode & S_IFMT == S_IFDIR {
            for name in (try? FileSystem.names(inFolder: path)) ?? [] { remove("\(path)/\(name)") }
            rmdir(path)
        } else {
            unlink(path)
        }
    }
}

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The few questions about paths that reading a model needs; symbolic links are followed.
package enum FileSystem {
    /// What a path leads to.
    package enum Kind: Equatable {
        /// Nothing is there.
        case missing
        /// A regular file.
        case file
        /// A folder.
        case folder
        /// A device, pipe or socket, or something that may not be looked at.
        case other
    }

    /// What `path` leads to.
    package static func kind(of path: String) -> Kind {
        var status = stat()
        guard !path.utf8.contains(0) else { return .missing }
        guard stat(path, &status) == 0 else {
            return [ENOENT, ENOTDIR, ENAMETOOLONG].contains(errno) ? .missing : .other
        }
        return switch status.st_mode & S_IFMT {
        case S_IFREG: .file
        case S_IFDIR: .folder
        default: .other
        }
    }

    /// The names in a folder in ascending order, without `.` and `..`.
    ///
    /// - Throws: ``ModelFileError`` with code `inaccessible` if the folder cannot be listed.
    package static func names(inFolder path: String) throws(ModelFileError) -> [String] {
        guard let folder = opendir(path) else {
            throw ModelFileError(.inaccessible, file: path, "cannot list the folder: \(lastErrorText())")
        }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// What the system says about the call that has just failed.
    static func lastErrorText() -> String { String(cString: strerror(errno)) }
}

extension String {
    /// The path of an item in the folder that this path names.
    package func appendingPathComponent(_ name: String) -> String { hasSuffix("/") ? self + name : self + "/" + name }

    /// What follows the last slash of a path.
    package var lastPathComponent: String { split(separator: "/").last.map(String.init) ?? self }
}

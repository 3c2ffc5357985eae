import ModelFiles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A new folder that appears under its name once it is complete; until then, or for ever, it is a hidden one beside it.
struct OutputFolder: ~Copyable {
    /// Where files are written.
    let path: String
    private let destination: String
    private var isFinished = false

    /// Makes a temporary folder beside a destination, where nothing may be yet.
    ///
    /// - Throws: ``ModelFileError`` with code `inaccessible`.
    init(for destination: String) throws(ModelFileError) {
        var destination = destination
        guard !destination.isEmpty else {
            throw ModelFileError(
                .inaccessible, file: destination, "expected the path of a folder that does not exist yet")
        }
        while destination.count > 1, destination.hasSuffix("/") { destination.removeLast() }
        try Self.expectNothing(at: destination)
        let name = destination.lastPathComponent
        let suffix = String(UInt32.random(in: .min ... .max), radix: 16)
        let path = String(destination.dropLast(name.count)) + ".\(name).nibble-\(suffix)"
        guard mkdir(path, 0o777) == 0 else {
            throw ModelFileError(
                .inaccessible, file: destination, "cannot create a folder beside it: \(Self.lastErrorText())")
        }
        self.init(path: path, destination: destination)
    }

    /// Takes over a folder that exists.
    private init(path: String, destination: String) {
        self.path = path
        self.destination = destination
    }

    deinit {
        guard !isFinished else { return }
        for name in (try? FileSystem.names(inFolder: path)) ?? [] { unlink(path.appendingPathComponent(name)) }
        rmdir(path)
    }

    /// The path of a file in the folder.
    func path(of name: String) -> String { path.appendingPathComponent(name) }

    /// Gives the folder its name.
    ///
    /// - Throws: ``ModelFileError`` with code `inaccessible`; the folder is removed then.
    consuming func finish() throws(ModelFileError) {
        try Self.expectNothing(at: destination)
        guard rename(path, destination) == 0 else {
            throw ModelFileError(
                .inaccessible, file: destination, "cannot rename \(path): \(Self.lastErrorText())")
        }
        isFinished = true
    }

    private static func expectNothing(at destination: String) throws(ModelFileError) {
        guard FileSystem.kind(of: destination) == .missing else {
            throw ModelFileError(.inaccessible, file: destination, "exists already; nothing is overwritten")
        }
    }

    private static func lastErrorText() -> String { String(cString: strerror(errno)) }
}

@testable import CUDA

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A folder that is not there yet, removed with everything in it at the end.
final class TemporaryFolder: Sendable {
    let path = "/tmp/nibble-tests-\(getpid())-\(UInt64.random(in: 0 ... .max))"

    deinit {
        for name in (try? Files.names(below: path)) ?? [] {
            var entry = "\(path)/\(name)"
            unlink(entry)
            // The folders that are empty now.
            while let slash = entry.lastIndex(of: "/"), entry.count > path.count {
                entry = String(entry[..<slash])
                rmdir(entry)
            }
        }
        rmdir(path)
    }

    /// The names of the files in it; none if it is not there.
    func files() throws -> [String] {
        access(path, F_OK) == 0 ? try Files.names(below: path) : []
    }
}

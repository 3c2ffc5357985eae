import ModelFiles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The storyteller model that ships with Nibble.
enum ShippedModel {
    private static let relativePath = "Models/storyteller-nvfp4"

    private static var executablePath: String? {
        for path in ["/proc/self/exe", CommandLine.arguments[0]] {
            guard let resolved = realpath(path, nil) else { continue }
            defer { free(resolved) }
            return String(cString: resolved)
        }
        return nil
    }

    /// Its folder, beside the working directory or above the executable.
    static func folder() throws -> String {
        var folder = executablePath
        var candidates = [relativePath]
        while let current = folder, let slash = current.lastIndex(of: "/"), slash != current.startIndex {
            let parent = String(current[..<slash])
            candidates.append(parent + "/" + relativePath)
            folder = parent
        }
        if let found = candidates.first(where: { FileSystem.kind(of: $0) == .folder }) { return found }
        throw ModelFileError(
            .inaccessible, file: relativePath,
            "the model that ships with Nibble was not found here or above the executable; name one with --model")
    }
}

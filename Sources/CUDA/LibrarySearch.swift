#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Where a library is looked for.
///
/// The environment is not read here: the program passes what it wants from it.
///
/// The driver is looked for as
/// 1. the path given, and then nowhere else;
/// 2. `libcuda.so.1` where the dynamic linker looks;
/// 3. the same file in the folders given, then in those into which drivers and container runtimes put it.
///
/// The run-time compiler is looked for as
/// 1. the path given, and then nowhere else;
/// 2. for version 13 and then 12, as far as the driver can load what they compile:
///    `libnvrtc.so.<version>` in the folders given, where the dynamic linker looks, in CUDA toolkits and in Python
///    packages (`nvidia-cuda-nvrtc`, `nvidia-cuda-nvrtc-cu12`);
/// 3. `libnvrtc.so` where the dynamic linker looks.
public struct LibrarySearch: Sendable {
    /// The file to open, if it is given; nothing else is tried then.
    public var path: String?
    /// Folders that hold the library, or a CUDA toolkit or Python environment with it.
    public var folders: [String]

    /// A search in the usual places, unless a path is given.
    public init(path: String? = nil, folders: [String] = []) {
        self.path = path
        self.folders = folders
    }

    /// The driver's possible paths and names, most preferred first.
    var driverCandidates: [String] {
        if let path { return [path] }
        let folders = [
            "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib/wsl/lib",
            "/usr/local/nvidia/lib64", "/usr/local/cuda/compat",
        ]
        return ["libcuda.so.1"] + (self.folders + folders).map { $0 + "/libcuda.so.1" }
    }

    /// The compiler's possible paths and names, most preferred first.
    ///
    /// - Parameter newestMajor: the newest major version whose code the driver can load.
    func compilerCandidates(newestMajor: Int) -> [String] {
        if let path { return [path] }
        let versioned = [13, 12].filter { $0 <= newestMajor }.flatMap { major in
            let name = "libnvrtc.so.\(major)"
            return Self.existing(name, in: folders) + [name] + Self.existing(name, in: Self.toolkitFolders)
        }
        return versioned + ["libnvrtc.so"]
    }

    private static let toolkitFolders = [
        "/usr/local/cuda", "/usr/local/cuda-*", "/opt/cuda", "/usr/local", "/usr", "/opt/venv", "/opt/conda",
    ]

    /// The files of a name in folders that are a library folder, a CUDA toolkit or a Python environment.
    private static func existing(_ name: String, in folders: [String]) -> [String] {
        let packages = ["site-packages", "dist-packages"].flatMap { ["/lib/python3*/\($0)", "/\($0)"] } + [""]
        let wheels = packages.flatMap { ["\($0)/nvidia/cu13/lib", "\($0)/nvidia/cuda_nvrtc/lib"] }
        let places = ["", "/lib64", "/lib", "/targets/*/lib", "/lib/*-linux-gnu"] + wheels
        return folders.flatMap { folder in places.flatMap { matches("\(folder)\($0)/\(name)") } }
    }

    /// The existing paths that match a shell pattern.
    static func matches(_ pattern: String) -> [String] {
        var found = glob_t()
        defer { globfree(&found) }
        guard glob(pattern, 0, nil, &found) == 0, let paths = found.gl_pathv else { return [] }
        return (0..<Int(found.gl_pathc)).compactMap { paths[$0].map { String(cString: $0) } }
    }

    /// Opens the first candidate that is there.
    ///
    /// - Parameters:
    ///   - what: the library's name in messages.
    ///   - remedy: what to do if it is missing.
    ///   - prepare: called with each path before it is opened.
    /// - Throws: ``CUDAError`` with code `libraryMissing`, or `libraryUnsuitable` if one is there but cannot be opened.
    static func open(
        _ candidates: [String], what: String, remedy: String, prepare: (String) -> Void = { _ in }
    ) throws(CUDAError) -> Library {
        var refusal: Library.Refusal?
        for path in candidates {
            prepare(path)
            do {
                return try Library(path: path)
            } catch {
                if !error.isMissing && refusal == nil { refusal = error }
            }
        }
        if let refusal {
            throw CUDAError(.libraryUnsuitable, "cannot open \(refusal.path): \(refusal.reason). \(remedy)")
        }
        throw CUDAError(.libraryMissing, "\(what) was not found, looked for \(listed(candidates)). \(remedy)")
    }

    private static func listed(_ candidates: [String]) -> String {
        let shown = candidates.prefix(4).joined(separator: ", ")
        return candidates.count > 4 ? "\(shown) and \(candidates.count - 4) more" : shown
    }
}

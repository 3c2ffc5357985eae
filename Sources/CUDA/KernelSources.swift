/// The text of kernels, by its path below a common folder: `any/copy.cu`, `common/ptx.cuh`.
///
/// Files include each other by these paths. `.cu` files are compiled, `.cuh` files are included.
public struct KernelSources: Sendable {
    private static let maximumFileByteCount = 4 << 20

    /// The texts by their paths.
    public let files: [String: String]

    /// Texts that are at hand.
    public init(files: [String: String]) { self.files = files }

    /// The files of a folder and the folders in it, for changing kernels without building.
    ///
    /// - Throws: ``CUDAError`` with code `invalidArgument` if the folder or a file in it cannot be read, or it holds no
    ///   kernel.
    public static func folder(_ path: String) throws(CUDAError) -> KernelSources {
        var files: [String: String] = [:]
        do {
            for name in try Files.names(below: path) where name.hasSuffix(".cu") || name.hasSuffix(".cuh") {
                let bytes = try Files.read("\(path)/\(name)", maximumByteCount: maximumFileByteCount)
                files[name] = String(decoding: bytes, as: UTF8.self)
            }
        } catch {
            throw CUDAError(.invalidArgument, "cannot read the kernels in \(path): \(error)")
        }
        guard files.keys.contains(where: { $0.hasSuffix(".cu") }) else {
            throw CUDAError(.invalidArgument, "\(path) holds no kernel, expected files like any/copy.cu")
        }
        return KernelSources(files: files)
    }

    /// A file with everything that it includes, ready to be compiled.
    ///
    /// - Parameters:
    ///   - path: the file, `any/copy.cu`.
    ///   - architecture: the GPU.
    ///   - definitions: preprocessor macros and their values: shapes and tile sizes.
    ///   - options: further options of the compiler.
    ///   - instantiation: text that follows the file's own: the kernels that its templates become.
    /// - Throws: ``CUDAError`` with code `invalidArgument` if it, or a file that it includes, is missing.
    public func program(
        _ path: String, for architecture: Architecture, definitions: [String: Int] = [:], options: [String] = [],
        instantiation: String = ""
    ) throws(CUDAError) -> KernelProgram {
        var included: [String: String] = [:]
        var pending = [path]
        while let name = pending.popLast() {
            guard included[name] == nil else { continue }
            guard let text = files[name] else {
                throw CUDAError(.invalidArgument, "kernel source \(name), needed for \(path), is missing")
            }
            included[name] = text
            pending += Self.includes(of: text)
        }
        let source = (included.removeValue(forKey: path) ?? "") + instantiation
        let macros = definitions.sorted { $0.key < $1.key }.map { "--define-macro=\($0.key)=\($0.value)" }
        return KernelProgram(
            name: path, source: source,
            headers: included.sorted { $0.key < $1.key }.map { KernelProgram.Header(name: $0.key, text: $0.value) },
            architecture: architecture, options: macros + options)
    }

    /// The paths in the `#include "path"` lines of a text.
    private static func includes(of text: String) -> [String] {
        text.split(whereSeparator: \.isNewline).compactMap { line in
            let line = line.drop { $0 == " " || $0 == "\t" }
            guard line.hasPrefix("#include"), let start = line.firstIndex(of: "\"") else { return nil }
            let path = line[line.index(after: start)...]
            return path.firstIndex(of: "\"").map { String(path[..<$0]) }
        }
    }
}

/// What the run-time compiler gets: a source with the headers that it includes, and the options.
public struct KernelProgram: Sendable {
    /// A text that others include by its name.
    public struct Header: Sendable {
        /// The name in `#include "name"`.
        public let name: String
        /// The text.
        public let text: String

        /// A header by its name and text.
        public init(name: String, text: String) {
            self.name = name
            self.text = text
        }
    }

    /// The source's path, for messages and the cache.
    public let name: String
    /// The source's text.
    public let source: String
    /// The headers that it includes, directly or through others.
    public let headers: [Header]
    /// The GPU that it is compiled for.
    public let architecture: Architecture
    /// The compiler's options besides the architecture and those that all programs have.
    public let options: [String]

    /// A program by its parts; ``KernelSources/program(_:for:definitions:options:)`` collects them.
    public init(name: String, source: String, headers: [Header], architecture: Architecture, options: [String]) {
        self.name = name
        self.source = source
        self.headers = headers
        self.architecture = architecture
        self.options = options
    }

    /// All options.
    ///
    /// The compiler's report about registers and spills comes with every compilation.
    var allOptions: [String] {
        // Generic lambdas cannot be declared to run on the device, and there is no other place.
        [
            "--gpu-architecture=\(architecture)", "--std=c++17", "--device-as-default-execution-space",
            "--ptxas-options=-v",
        ] + options
    }

    /// The SHA-256, in hexadecimal, of everything that decides what the compiled code is.
    ///
    /// - Parameter compiler: the compiler's version.
    func contentHash(compiler: Version) -> String {
        var hash = SHA256()
        // Each part goes in with its length, so that no two lists of parts give the same bytes.
        func add(_ part: String) {
            let bytes = Array(part.utf8)
            hash.update(withUnsafeBytes(of: UInt64(bytes.count).littleEndian) { Array($0) })
            hash.update(bytes)
        }
        add(CacheEntry.format)
        add("nvrtc \(compiler)")
        add(name)
        add(source)
        add("\(headers.count) headers")
        for header in headers {
            add(header.name)
            add(header.text)
        }
        for option in allOptions { add(option) }
        return SHA256.hexadecimal(hash.finalize())
    }
}

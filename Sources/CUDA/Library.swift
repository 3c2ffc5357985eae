#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// A shared library, open for as long as the process lives: neither the driver nor the compiler can be unloaded safely.
struct Library: Sendable {
    /// The path or name under which it was found.
    let path: String
    private nonisolated(unsafe) let handle: UnsafeMutableRawPointer

    /// How the dynamic linker refused a library.
    struct Refusal: Error {
        let path: String
        /// The linker's words.
        let reason: String
        /// Whether the file is simply not there, which a search passes over.
        let isMissing: Bool
    }

    /// Opens a library by its path, or by its name where the dynamic linker looks.
    ///
    /// - Parameter isGlobal: whether libraries that are opened later may use its symbols.
    init(path: String, isGlobal: Bool = false) throws(Refusal) {
        guard let handle = dlopen(path, RTLD_NOW | (isGlobal ? RTLD_GLOBAL : RTLD_LOCAL)) else {
            let reason = dlerror().map { String(cString: $0) } ?? "unknown reason"
            let isMissing = path.contains("/") ? access(path, F_OK) != 0 : reason.contains("No such file")
            throw Refusal(path: path, reason: reason, isMissing: isMissing)
        }
        self.path = path
        self.handle = handle
    }

    /// An entry point by its exported name, as a pointer to a C function of the type asked for.
    ///
    /// - Throws: ``CUDAError`` with code `libraryUnsuitable` if the library does not export the name.
    func function<Pointer>(_ name: StaticString) throws(CUDAError) -> Function<Pointer> {
        guard let address = dlsym(handle, "\(name)") else {
            throw CUDAError(.libraryUnsuitable, "\(path) has no \(name): it is too old or not the library expected")
        }
        // A C function pointer and an address have the same representation on every platform that has dlsym.
        return Function(name: name, pointer: unsafeBitCast(address, to: Pointer.self))
    }
}

/// An entry point of a library, with the name that errors show.
struct Function<Pointer>: Sendable {
    let name: StaticString
    nonisolated(unsafe) let pointer: Pointer
}

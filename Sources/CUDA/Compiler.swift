internal import CCUDA

/// NVRTC, NVIDIA's run-time compiler: CUDA C++ text becomes code for one kind of GPU.
///
/// It needs no GPU and no driver. Several threads may compile at a time.
public final class Compiler: Sendable {
    /// The oldest version that Nibble's kernels are written for.
    public static let oldestVersion = Version(12, 4)

    private static let remedy =
        "Install NVRTC: pip install nvidia-cuda-nvrtc (CUDA 13 drivers) or nvidia-cuda-nvrtc-cu12 (older ones), "
        + "or a CUDA toolkit"

    /// The compiler's version.
    public let version: Version
    /// The path or name under which the library was found.
    public let path: String
    /// The compute capabilities that it can compile for, as numbers: 90 for `sm_90a`.
    public let architectureNumbers: [Int]

    private let getErrorString: Function<nvrtcGetErrorString_fn>
    private let createProgram: Function<nvrtcCreateProgram_fn>
    private let destroyProgram: Function<nvrtcDestroyProgram_fn>
    private let compileProgram: Function<nvrtcCompileProgram_fn>
    private let getCUBINSize: Function<nvrtcGetCUBINSize_fn>
    private let getCUBIN: Function<nvrtcGetCUBIN_fn>
    private let getProgramLogSize: Function<nvrtcGetProgramLogSize_fn>
    private let getProgramLog: Function<nvrtcGetProgramLog_fn>

    /// Opens the compiler.
    ///
    /// - Parameters:
    ///   - search: where to look; ``LibrarySearch`` says in which order.
    ///   - driverVersion: the version of the driver that will load the code; nil if none will.
    /// - Throws: ``CUDAError`` with code `libraryMissing`, or `libraryUnsuitable` if it is too old or newer than the
    ///   driver.
    public init(_ search: LibrarySearch = LibrarySearch(), for driverVersion: Version?) throws(CUDAError) {
        let newestMajor = driverVersion?.major ?? .max
        let library = try LibrarySearch.open(
            search.compilerCandidates(newestMajor: newestMajor), what: "NVRTC, the CUDA run-time compiler,",
            remedy: Self.remedy, prepare: Self.openBuiltins(beside:))
        getErrorString = try library.function("nvrtcGetErrorString")
        let getVersion: Function<nvrtcVersion_fn> = try library.function("nvrtcVersion")
        var major: Int32 = 0
        var minor: Int32 = 0
        try Self.call(getVersion, getErrorString) { $0(&major, &minor) }
        let version = Version(Int(major), Int(minor))
        guard version >= Self.oldestVersion, version.major <= newestMajor else {
            let newest = driverVersion.map { ", at most \($0.major).x for this driver" } ?? ""
            throw CUDAError(
                .libraryUnsuitable,
                "\(library.path) is NVRTC \(version), expected at least \(Self.oldestVersion)\(newest). \(Self.remedy)")
        }
        architectureNumbers = try Self.architectureNumbers(library, getErrorString)
        path = library.path
        self.version = version
        createProgram = try library.function("nvrtcCreateProgram")
        destroyProgram = try library.function("nvrtcDestroyProgram")
        compileProgram = try library.function("nvrtcCompileProgram")
        getCUBINSize = try library.function("nvrtcGetCUBINSize")
        getCUBIN = try library.function("nvrtcGetCUBIN")
        getProgramLogSize = try library.function("nvrtcGetProgramLogSize")
        getProgramLog = try library.function("nvrtcGetProgramLog")
    }

    /// Compiles a program.
    ///
    /// - Throws: ``CUDAError`` with code `compilation` and the compiler's log if the program is wrong, or `unsupported`
    ///   if the compiler does not know the GPU.
    public func compile(_ program: KernelProgram) throws(CUDAError) -> CompiledProgram {
        guard architectureNumbers.contains(program.architecture.number) else {
            throw CUDAError(
                .unsupported,
                "NVRTC \(version) cannot compile for \(program.architecture), only for "
                    + "\(architectureNumbers.map { "sm_\($0)" }.joined(separator: ", ")). \(Self.remedy)")
        }
        var handle = try create(program)
        // A failed release of host memory that belongs to a compiler changes nothing for anyone.
        defer { _ = destroyProgram.pointer(&handle) }
        guard let handle else { throw CUDAError(.callFailed, "\(program.name): NVRTC returned no program") }
        let result = withCStrings(program.allOptions) { options in
            compileProgram.pointer(handle, Int32(options.count), options.baseAddress)
        }
        guard result == NVRTC_SUCCESS else {
            let log = (try? self.log(of: handle)) ?? "there is no log"
            throw CUDAError(
                result == NVRTC_ERROR_OUT_OF_MEMORY ? .outOfMemory : .compilation, call: "\(compileProgram.name)",
                result: Int(result.rawValue), name: String(cString: getErrorString.pointer(result)),
                "\(program.name) does not compile for \(program.architecture):\n\(log)")
        }
        var byteCount = 0
        try call(getCUBINSize) { $0(handle, &byteCount) }
        var cubin = [CChar](repeating: 0, count: byteCount)
        try call(getCUBIN) { $0(handle, &cubin) }
        return CompiledProgram(cubin: cubin.map { UInt8(bitPattern: $0) }, log: try log(of: handle))
    }

    private func create(_ program: KernelProgram) throws(CUDAError) -> nvrtcProgram? {
        var handle: nvrtcProgram?
        let result = withCStrings(program.headers.map(\.text)) { texts in
            withCStrings(program.headers.map(\.name)) { names in
                createProgram.pointer(
                    &handle, program.source, program.name, Int32(texts.count), texts.baseAddress, names.baseAddress)
            }
        }
        try call(createProgram) { _ in result }
        return handle
    }

    private func log(of handle: nvrtcProgram) throws(CUDAError) -> String {
        var byteCount = 0
        try call(getProgramLogSize) { $0(handle, &byteCount) }
        guard byteCount > 1 else { return "" }
        var log = [CChar](repeating: 0, count: byteCount)
        try call(getProgramLog) { $0(handle, &log) }
        return String(decoding: log.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private func call<Pointer>(_ function: Function<Pointer>, _ body: (Pointer) -> nvrtcResult) throws(CUDAError) {
        try Self.call(function, getErrorString, body)
    }

    private static func call<Pointer>(
        _ function: Function<Pointer>, _ getErrorString: Function<nvrtcGetErrorString_fn>,
        _ body: (Pointer) -> nvrtcResult
    ) throws(CUDAError) {
        let result = body(function.pointer)
        guard result != NVRTC_SUCCESS else { return }
        throw CUDAError(
            result == NVRTC_ERROR_OUT_OF_MEMORY ? .outOfMemory : .callFailed, call: "\(function.name)",
            result: Int(result.rawValue), name: String(cString: getErrorString.pointer(result)),
            "the run-time compiler failed")
    }

    /// The compiler opens a second library by its bare name, which the dynamic linker finds only in its own folders or
    /// if it is open already; so the one beside the compiler is opened first.
    private static func openBuiltins(beside path: String) {
        guard let slash = path.lastIndex(of: "/") else { return }
        for builtins in LibrarySearch.matches("\(path[..<slash])/libnvrtc-builtins.so.*") {
            // One that cannot be opened shows when the compiler misses it.
            _ = try? Library(path: builtins, isGlobal: true)
        }
    }

    private static func architectureNumbers(
        _ library: Library, _ getErrorString: Function<nvrtcGetErrorString_fn>
    ) throws(CUDAError) -> [Int] {
        let getCount: Function<nvrtcGetNumSupportedArchs_fn> = try library.function("nvrtcGetNumSupportedArchs")
        let get: Function<nvrtcGetSupportedArchs_fn> = try library.function("nvrtcGetSupportedArchs")
        var count: Int32 = 0
        try call(getCount, getErrorString) { $0(&count) }
        var numbers = [Int32](repeating: 0, count: Int(count))
        try call(get, getErrorString) { $0(&numbers) }
        return numbers.map { Int($0) }
    }
}

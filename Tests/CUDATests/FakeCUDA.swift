import CUDA
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The suites that use the fake driver, which is one for the whole process.
@Suite("With a fake driver", .serialized)
enum FakeDriverTests {}

/// The library that stands in for driver and compiler, and its controls: `Tests/FakeCUDA/include/FakeCUDA.h`.
struct FakeCUDA {
    /// A launch as the driver saw it.
    struct Launch {
        let kernel: String
        let grid: [UInt32], block: [UInt32], cluster: [UInt32]
        let dynamicSharedByteCount: UInt32
        let overlapsPrevious: Bool, isCaptured: Bool
        let parameters: [[UInt8]]
    }

    /// The folder into which the package is built.
    static let buildFolder: String = {
        #if canImport(Darwin)
            // The tests are a bundle in it, loaded into another program.
            var info = Dl_info()
            guard dladdr(#dsohandle, &info) != 0, let name = info.dli_fname else { return "." }
            let path = String(cString: name)
            return path.firstRange(of: "/nibblePackageTests.xctest").map { String(path[..<$0.lowerBound]) } ?? "."
        #else
            // The tests are a program in it.
            guard let name = realpath("/proc/self/exe", nil) else { return "." }
            defer { free(name) }
            return String(cString: name).split(separator: "/", omittingEmptySubsequences: false).dropLast()
                .joined(separator: "/")
        #endif
    }()

    static let path: String = {
        #if canImport(Darwin)
            buildFolder + "/libFakeCUDA.dylib"
        #else
            buildFolder + "/libFakeCUDA.so"
        #endif
    }()

    private let handle: UnsafeMutableRawPointer

    /// Opens the library and, unless told otherwise, forgets what was done with it.
    init(keepingState: Bool = false) throws {
        handle = try #require(dlopen(Self.path, RTLD_NOW | RTLD_LOCAL), "\(Self.path) is not built")
        if !keepingState { try control("fake_reset", as: (@convention(c) () -> Void).self)() }
    }

    /// The driver, over this library.
    func driver(onReleaseFailure: @escaping @Sendable (CUDAError) -> Void = { _ in }) throws -> Driver {
        try Driver.load(LibrarySearch(path: Self.path), onReleaseFailure: onReleaseFailure)
    }

    /// A context on its first GPU.
    func context() throws -> Context { try Context(try #require(try driver().devices().first)) }

    /// The compiler, over this library.
    func compiler() throws -> Compiler { try Compiler(LibrarySearch(path: Self.path), for: Version(13, 0)) }

    /// A kernel whose source is its declaration.
    func kernel(_ declaration: String, in context: Context, dynamicSharedByteCount: Int = 0) throws -> Kernel {
        let sources = KernelSources(files: ["test.cu": "extern \"C\" __global__ void \(declaration) {}"])
        let program = try sources.program("test.cu", for: context.device.architecture)
        let module = try Module(context, cubin: try compiler().compile(program).cubin, name: "test.cu")
        return try module.kernel(
            String(declaration.prefix { $0 != "(" }), dynamicSharedByteCount: dynamicSharedByteCount)
    }

    /// Lets one call fail, by its number after the reset, and perhaps all later ones.
    func failCall(_ number: Int, code: Int, andLater: Bool = false) throws {
        let fail = try control("fake_fail_call", as: (@convention(c) (Int32, Int32, Int32) -> Void).self)
        fail(Int32(number), Int32(code), andLater ? 1 : 0)
    }

    /// The names of all calls since the reset.
    func calls() throws -> [String] {
        let count = try control("fake_call_count", as: (@convention(c) () -> Int32).self)()
        let name = try control("fake_call_name", as: (@convention(c) (Int32) -> UnsafePointer<CChar>).self)
        return (0..<count).map { String(cString: name($0 + 1)) }
    }

    /// How many handles and allocations are alive.
    func liveCount() throws -> Int {
        Int(try control("fake_live_count", as: (@convention(c) () -> Int32).self)())
    }

    /// What was done that must never be done.
    func misuse() throws -> String? {
        try control("fake_misuse", as: (@convention(c) () -> UnsafePointer<CChar>?).self)().map { String(cString: $0) }
    }

    /// Sets the driver's version, `12030` for 12.3.
    func setDriverVersion(_ version: Int) throws {
        try control("fake_set_driver_version", as: (@convention(c) (Int32) -> Void).self)(Int32(version))
    }

    /// Sets the compiler's version.
    func setCompilerVersion(_ major: Int, _ minor: Int) throws {
        let set = try control("fake_set_compiler_version", as: (@convention(c) (Int32, Int32) -> Void).self)
        set(Int32(major), Int32(minor))
    }

    /// Sets how many GPUs there are, and of which kind.
    func setDevices(_ count: Int, _ major: Int = 9, _ minor: Int = 0, memoryByteCount: Int = 1 << 30) throws {
        let set = try control("fake_set_devices", as: (@convention(c) (Int32, Int32, Int32, Int) -> Void).self)
        set(Int32(count), Int32(major), Int32(minor), memoryByteCount)
    }

    /// The clock of the GPUs' memory, in kHz, and the width of its bus, in bits.
    func setMemory(clockRate: Int, busWidth: Int) throws {
        let set = try control("fake_set_memory", as: (@convention(c) (Int32, Int32) -> Void).self)
        set(Int32(clockRate), Int32(busWidth))
    }

    /// Sets what is called in place of each kernel.
    func setKernel(_ kernel: @convention(c) (Int32) -> Void) throws {
        try control("fake_set_kernel", as: (@convention(c) (@convention(c) (Int32) -> Void) -> Void).self)(kernel)
    }

    /// The launches since the reset.
    func launches() throws -> [Launch] {
        let count = try control("fake_launch_count", as: (@convention(c) () -> Int32).self)()
        return try (0..<count).map { try launch($0) }
    }

    /// A launch by its index.
    func launch(_ index: Int32) throws -> Launch {
        let kernel = try control("fake_launch_kernel", as: (@convention(c) (Int32) -> UnsafePointer<CChar>).self)
        let getShape = try control(
            "fake_launch_shape", as: (@convention(c) (Int32, UnsafeMutablePointer<UInt32>) -> Void).self)
        let getParameter = try control(
            "fake_launch_parameter", as: (@convention(c) (Int32, Int32, UnsafeMutablePointer<UInt8>) -> Int).self)
        var shape = [UInt32](repeating: 0, count: 12)
        getShape(index, &shape)
        var parameters: [[UInt8]] = []
        var bytes = [UInt8](repeating: 0, count: 256)
        while case let count = getParameter(index, Int32(parameters.count), &bytes), count > 0 {
            parameters.append(Array(bytes[..<count]))
        }
        return Launch(
            kernel: String(cString: kernel(index)), grid: Array(shape[0..<3]), block: Array(shape[3..<6]),
            cluster: Array(shape[6..<9]), dynamicSharedByteCount: shape[9], overlapsPrevious: shape[10] != 0,
            isCaptured: shape[11] != 0, parameters: parameters)
    }

    private func control<Pointer>(_ name: String, as type: Pointer.Type) throws -> Pointer {
        unsafeBitCast(try #require(dlsym(handle, name), "the fake driver has no \(name)"), to: type)
    }
}

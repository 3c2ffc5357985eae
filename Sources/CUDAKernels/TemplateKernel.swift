internal import CUDA

/// A kernel that the host instantiates from a device file's template; its first parameter, mostly the only one, is a
/// structure.
protocol TemplateKernel: Sendable {
    /// The structure as the host lays it out.
    associatedtype Arguments: BitwiseCopyable, KernelArgument

    /// The device file.
    static var path: String { get }
    /// The name of the instantiated function.
    static var function: String { get }
    /// What the device file calls `Arguments`.
    static var argumentsName: String { get }
    /// The function's parameters.
    static var parameters: String { get }
    /// What is in `__launch_bounds__`.
    var launchBounds: String { get }
    /// What comes before the function: its type, and what the host assumes of it.
    var declarations: [String] { get }
    /// The statement that the function consists of.
    var body: String { get }
}

extension TemplateKernel {
    static var parameters: String { "const __grid_constant__ \(argumentsName) arguments" }

    var declarations: [String] { [] }

    /// The program to compile.
    func program(from sources: KernelSources, for architecture: Architecture) throws(CUDAError) -> KernelProgram {
        let size = MemoryLayout<Arguments>.stride
        let assertion = "static_assert(sizeof(\(Self.argumentsName)) == \(size), \"as the host lays it out\");"
        return try sources.program(
            Self.path, for: architecture,
            instantiation: """

                \((declarations + [assertion]).joined(separator: "\n"))
                extern "C" __global__ void __launch_bounds__(\(launchBounds)) \(Self.function)(\(Self.parameters)) {
                    \(body)
                }

                """)
    }

    /// The kernel, loaded.
    func load(_ loader: KernelLoader, dynamicSharedByteCount: Int = 0) throws(CUDAError) -> Kernel {
        let program = try program(from: loader.sources, for: loader.context.device.architecture)
        return try loader.cache.module(program, in: loader.context)
            .kernel(Self.function, dynamicSharedByteCount: dynamicSharedByteCount)
    }
}

extension KernelLoader {
    /// Compiles kernels, and programs beside them, as many at a time as there are processors, so that they are there when they
    /// are loaded.
    func compile(_ kernels: [any TemplateKernel], with others: [KernelProgram] = []) throws(CUDAError) {
        var programs: [KernelProgram] = []
        for kernel in kernels { programs.append(try kernel.program(from: sources, for: context.device.architecture)) }
        try cache.compile(programs + others)
    }
}

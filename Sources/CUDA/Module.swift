internal import CCUDA

/// Compiled kernels, loaded into a GPU.
public final class Module: Sendable {
    /// The context that it is loaded in.
    public let context: Context
    /// What it was made from, for messages.
    public let name: String

    private nonisolated(unsafe) let handle: CUmodule

    /// Loads compiled code.
    ///
    /// - Parameters:
    ///   - cubin: what ``Compiler/compile(_:)`` returns.
    ///   - name: what it was made from, for messages.
    /// - Throws: ``CUDAError`` with code `unsupported` if the code is for another GPU or not code at all.
    public init(_ context: Context, cubin: [UInt8], name: String) throws(CUDAError) {
        // The driver takes no length: it reads the image's own headers, so an image without any is refused here.
        guard cubin.count > 64 else {
            throw CUDAError(.unsupported, "\(name): \(cubin.count) bytes are not a compiled kernel")
        }
        var handle: CUmodule?
        try context.call(context.driver.moduleLoadData, name) { $0(&handle, cubin) }
        guard let handle else { throw CUDAError(.callFailed, "\(name): the driver returned no module") }
        self.context = context
        self.name = name
        self.handle = handle
    }

    deinit {
        context.release(context.driver.moduleUnload) { $0(handle) }
    }

    /// A kernel by its name, loaded and ready to be launched, also while a graph is captured.
    ///
    /// - Parameters:
    ///   - name: the name that it has as `extern "C"` function.
    ///   - dynamicSharedByteCount: the most dynamic shared memory that a launch will ask for.
    /// - Throws: ``CUDAError`` if there is no such kernel, or with code `invalidArgument` if the GPU has not so much
    ///   shared memory.
    public func kernel(_ name: String, dynamicSharedByteCount: Int = 0) throws(CUDAError) -> Kernel {
        var function: CUfunction?
        try context.call(context.driver.moduleGetFunction, "\(name) in \(self.name)") { $0(&function, handle, name) }
        guard let function else { throw CUDAError(.callFailed, "\(name): the driver returned no kernel") }
        return try Kernel(
            module: self, name: name, handle: function, dynamicSharedByteCount: dynamicSharedByteCount)
    }
}

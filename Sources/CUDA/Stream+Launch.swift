internal import CCUDA

extension Stream {
    /// Queues a kernel.
    ///
    /// - Parameters:
    ///   - kernel: the kernel, of this stream's context.
    ///   - launch: how many threads, and how.
    ///   - arguments: one for each parameter of the kernel, of its size. Buffers must stay alive until it has run.
    /// - Throws: ``CUDAError`` with code `invalidArgument` before anything is queued if the arguments or the launch do
    ///   not fit the kernel, or that of the call. What goes wrong while the kernel runs shows at a later wait.
    public func launch<each Argument: KernelArgument>(
        _ kernel: Kernel, _ launch: Launch, _ arguments: repeat each Argument
    ) throws(CUDAError) {
        var packed = KernelArguments(for: kernel)
        for argument in repeat each arguments { try packed.append(argument.parameter) }
        try packed.checkComplete()
        try launch.check(for: kernel)
        var attributes = launch.attributes
        try attributes.withUnsafeMutableBufferPointer { attributes throws(CUDAError) in
            var config = launch.config(on: handle, attributes)
            // Put together only if the call fails: it would take longer than the launch.
            try context.call(
                context.driver.launchKernelEx, "\(kernel.name), grid \(launch.grid), block \(launch.block)"
            ) {
                $0(&config, kernel.handle, packed.pointers, nil)
            }
        }
    }
}

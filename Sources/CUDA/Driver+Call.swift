internal import CCUDA

extension Driver {
    /// Calls an entry point and checks what it returns.
    ///
    /// - Parameters:
    ///   - function: the entry point.
    ///   - context: a sentence about what was attempted, for the message.
    ///   - body: makes the call with the pointer that it is given.
    /// - Throws: ``CUDAError`` with the call, its result and what to do.
    func call<Pointer>(
        _ function: Function<Pointer>, _ context: @autoclosure () -> String = "", _ body: (Pointer) -> CUresult
    ) throws(CUDAError) {
        let result = body(function.pointer)
        if result != CUDA_SUCCESS { throw failure(of: function.name, result, context()) }
    }

    /// Calls an entry point that gives something back; a failure is only reported.
    func release<Pointer>(_ function: Function<Pointer>, _ body: (Pointer) -> CUresult) {
        let result = body(function.pointer)
        if result != CUDA_SUCCESS { onReleaseFailure(failure(of: function.name, result, "")) }
    }

    private func failure(of call: StaticString, _ result: CUresult, _ context: String) -> CUDAError {
        let (code, remedy) = Self.explanation(of: result)
        var text: UnsafePointer<CChar>?
        let meaning = getErrorString.pointer(result, &text) == CUDA_SUCCESS ? text.map { String(cString: $0) } : nil
        let message = [meaning ?? "the driver has no words for it", context, remedy].filter { !$0.isEmpty }
        return CUDAError(
            code, call: "\(call)", result: Int(result.rawValue), name: name(of: result),
            message.joined(separator: ". "))
    }

    private func name(of result: CUresult) -> String {
        var name: UnsafePointer<CChar>?
        guard getErrorName.pointer(result, &name) == CUDA_SUCCESS, let name else { return "unknown error" }
        return String(cString: name)
    }

    private static func explanation(of result: CUresult) -> (CUDAError.Code, remedy: String) {
        switch result {
        case CUDA_ERROR_OUT_OF_MEMORY:
            (.outOfMemory, "Free memory on the GPU, or use a smaller model, context or batch")
        case CUDA_ERROR_NO_DEVICE:
            (.deviceMissing, "Check that nvidia-smi lists a GPU and that CUDA_VISIBLE_DEVICES does not hide it")
        case CUDA_ERROR_INVALID_DEVICE:
            (.deviceMissing, "")
        case CUDA_ERROR_STUB_LIBRARY:
            (.libraryUnsuitable, "The library is the toolkit's stub: take its folder out of the linker's path")
        case CUDA_ERROR_SYSTEM_DRIVER_MISMATCH:
            (.libraryUnsuitable, "The library and the kernel module differ in version: restart the machine")
        case CUDA_ERROR_INVALID_IMAGE, CUDA_ERROR_NO_BINARY_FOR_GPU, CUDA_ERROR_UNSUPPORTED_PTX_VERSION:
            (.unsupported, "The kernel was compiled for another GPU or by a compiler newer than the driver")
        case CUDA_ERROR_NOT_SUPPORTED:
            (.unsupported, "")
        case CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES:
            (.invalidArgument, "The launch asks for more registers, threads or shared memory than the kernel may have")
        case CUDA_ERROR_ECC_UNCORRECTABLE:
            (.contextLost, "The GPU's memory is damaged: look at nvidia-smi -q -d ECC")
        case CUDA_ERROR_ILLEGAL_ADDRESS, CUDA_ERROR_LAUNCH_TIMEOUT, CUDA_ERROR_CONTEXT_IS_DESTROYED, CUDA_ERROR_ASSERT,
            CUDA_ERROR_HARDWARE_STACK_ERROR, CUDA_ERROR_ILLEGAL_INSTRUCTION, CUDA_ERROR_MISALIGNED_ADDRESS,
            CUDA_ERROR_INVALID_ADDRESS_SPACE, CUDA_ERROR_INVALID_PC, CUDA_ERROR_LAUNCH_FAILED:
            (.contextLost, "A kernel failed and this process can no longer use the GPU: start it again")
        default:
            (.callFailed, "")
        }
    }
}

internal import CCUDA

/// A function that runs on a GPU, with what the compiler gave it.
public final class Kernel: Sendable {
    /// The module that holds its code.
    public let module: Module
    /// Its name in the source.
    public let name: String
    /// How many registers a thread has.
    public let registerCount: Int
    /// How much memory a thread has for what did not fit into registers; more than 0 is slow.
    public let localByteCount: Int
    /// How much shared memory a block has by the source.
    public let staticSharedByteCount: Int
    /// How much more shared memory a launch may ask for.
    public let dynamicSharedByteCount: Int
    /// How many threads a block can have with these registers.
    public let maximumThreadsPerBlock: Int

    nonisolated(unsafe) let handle: CUfunction
    /// The sizes of its parameters.
    let parameterByteCounts: [Int]

    init(module: Module, name: String, handle: CUfunction, dynamicSharedByteCount: Int) throws(CUDAError) {
        let context = module.context
        // By default code is loaded at its first launch, which is not allowed while a graph is captured.
        try context.call(context.driver.funcLoad, name) { $0(handle) }
        func attribute(_ attribute: CUfunction_attribute) throws(CUDAError) -> Int {
            var value: Int32 = 0
            try context.call(context.driver.funcGetAttribute, name) { $0(&value, attribute, handle) }
            return Int(value)
        }
        let staticSharedByteCount = try attribute(CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES)
        let limit = context.device.maximumSharedByteCountPerBlock - staticSharedByteCount
        guard 0...max(0, limit) ~= dynamicSharedByteCount else {
            throw CUDAError(
                .invalidArgument,
                "\(name): \(dynamicSharedByteCount) bytes of dynamic shared memory asked for, "
                    + "\(context.device) allows 0 to \(max(0, limit))")
        }
        // The function is one for all that load it: what another asked for must not become less.
        if try dynamicSharedByteCount > attribute(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) {
            try context.call(context.driver.funcSetAttribute, name) {
                $0(handle, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, Int32(dynamicSharedByteCount))
            }
        }
        self.module = module
        self.name = name
        self.handle = handle
        self.staticSharedByteCount = staticSharedByteCount
        self.dynamicSharedByteCount = dynamicSharedByteCount
        registerCount = try attribute(CU_FUNC_ATTRIBUTE_NUM_REGS)
        localByteCount = try attribute(CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES)
        maximumThreadsPerBlock = try attribute(CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK)
        parameterByteCounts = try Self.parameterByteCounts(of: handle, name, context)
    }

    /// How many blocks of a size an SM holds at a time.
    ///
    /// - Throws: ``CUDAError`` of the call that failed.
    public func blocksPerMultiprocessor(
        threadCount: Int, dynamicSharedByteCount: Int = 0
    ) throws(CUDAError) -> Int {
        guard let threadCount = Int32(exactly: threadCount), threadCount > 0, dynamicSharedByteCount >= 0 else {
            throw CUDAError(
                .invalidArgument,
                "\(name): no block has \(threadCount) threads and \(dynamicSharedByteCount) bytes of shared memory")
        }
        let context = module.context
        var blockCount: Int32 = 0
        try context.call(context.driver.occupancyMaxActiveBlocks, name) {
            $0(&blockCount, handle, threadCount, dynamicSharedByteCount)
        }
        return Int(blockCount)
    }

    private static func parameterByteCounts(
        of handle: CUfunction, _ name: String, _ context: Context
    ) throws(CUDAError) -> [Int] {
        var byteCounts: [Int] = []
        while true {
            var offset = 0
            var byteCount = 0
            // The driver refuses the index behind the last parameter; that is how their number is found.
            var isLast = false
            try context.call(context.driver.funcGetParamInfo, name) { getParamInfo in
                let result = getParamInfo(handle, byteCounts.count, &offset, &byteCount)
                isLast = result == CUDA_ERROR_INVALID_VALUE
                return isLast ? CUDA_SUCCESS : result
            }
            if isLast { return byteCounts }
            byteCounts.append(byteCount)
        }
    }
}

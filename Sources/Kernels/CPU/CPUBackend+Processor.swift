import CCPUKernels

extension CPUBackend {
    /// The numbers of threads that can be asked for.
    public static let threadCounts = 1...ThreadPool.maximumThreadCount

    /// The number of threads of a backend unless told otherwise: the physical cores that this process may use.
    public static var defaultThreadCount: Int { ProcessorCount.system.physical }

    /// The bytes of memory that this process can still get; nil where the system does not tell.
    public static var availableMemoryByteCount: Int? { AvailableMemory.byteCount }

    /// The names of the instruction set extensions of this processor that kernels are chosen by.
    public static var processorFeatures: [String] {
        String(cString: nibble_cpu_feature_names()).split(separator: " ").map { String($0) }
    }
}

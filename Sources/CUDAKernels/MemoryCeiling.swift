public import CUDA

/// How fast a GPU's memory is read and copied: what memory-bound kernels are measured against.
///
/// Each kernel moves a piece of memory much larger than the L2 cache, several times in one CUDA graph; the time is the
/// median of the graph's replays. What was moved is checked.
public struct MemoryCeiling: Sendable {
    /// One kernel's speed.
    public struct Measurement: Sendable {
        /// The kernel.
        public let kernel: MemoryKernel
        /// The bytes that a launch reads, and if it copies also those that it writes.
        public let byteCount: Int
        /// The median time of a launch.
        public let time: Duration

        /// The bytes moved in a second.
        public var bytesPerSecond: Double { Double(byteCount) / (time / .seconds(1)) }
    }

    /// All kernels that the GPU can run, in the order of the candidates.
    public let measurements: [Measurement]

    /// The most bytes read in a second; 0 if no kernel was measured.
    public var readBytesPerSecond: Double { best(.read) }
    /// The most bytes moved in a second by a copy, those read and those written; 0 if no kernel was measured.
    public var copyBytesPerSecond: Double { best(.copy) }

    private func best(_ direction: MemoryKernel.Direction) -> Double {
        measurements.filter { $0.kernel.direction == direction }.map(\.bytesPerSecond).max() ?? 0
    }

    /// Measures a GPU; takes about half a second besides compiling.
    ///
    /// - Parameters:
    ///   - context: the GPU, which should have nothing else to do.
    ///   - sources: the kernels' text.
    ///   - cache: compiles them.
    ///   - byteCount: the memory to read, rounded up to 1 MiB; twice as much is allocated.
    /// - Throws: ``CUDA/CUDAError``; with code `callFailed` if a kernel did not move what it should.
    public static func measure(
        _ context: Context, sources: KernelSources, cache: KernelCache,
        kernels: [MemoryKernel] = MemoryKernel.candidates, byteCount: Int = 1 << 30
    ) throws -> MemoryCeiling {
        let bench = try MemoryBench(context, sources: sources, cache: cache, byteCount: byteCount)
        let supported = kernels.filter { $0.oldestArchitecture <= context.device.architecture.major }
        return MemoryCeiling(measurements: try supported.map { try bench.measure($0) })
    }
}

internal import CUDA

/// How fast a GPU multiplies dense BF16 matrices: what compute-bound kernels are measured against.
public enum ProductCeiling {
    private static let threadCount = 256
    private static let roundCount = 8192
    private static let launchCount = 5

    /// The program to compile.
    static func program(
        from sources: KernelSources, for architecture: Architecture
    ) throws(CUDAError) -> KernelProgram {
        try sources.program("sm90/multiply_peak.cu", for: architecture, definitions: ["THREADS": threadCount])
    }

    /// Multiplies in registers and shared memory on all SMs; takes about 50 ms besides compiling.
    ///
    /// - Returns: multiplications and additions per second, of the median launch; nil if the GPU is not a Hopper.
    /// - Throws: ``CUDA/CUDAError``; with code `callFailed` if nothing was computed.
    public static func measure(_ loader: KernelLoader) throws -> Double? {
        let device = loader.context.device
        guard device.architecture.major == 9 else { return nil }
        let stream = try Stream(loader.context)
        let program = try program(from: loader.sources, for: device.architecture)
        let kernel = try loader.cache.module(program, in: loader.context).kernel("multiply_peak")
        let launch = Launch(grid: Launch.Extent(device.multiprocessorCount), block: Launch.Extent(threadCount))
        let sums = try DeviceBuffer<Float>(loader.context, count: device.multiprocessorCount)
        try stream.fill(sums, byte: 0)
        let (start, end) = (try Event(loader.context), try Event(loader.context))
        var times: [Duration] = []
        for _ in 0..<launchCount {
            try start.record(on: stream)
            try stream.launch(kernel, launch, UInt32(roundCount), sums)
            try end.record(on: stream)
            try end.synchronize()
            times.append(try end.duration(since: start))
        }
        guard try stream.read(sums).allSatisfy({ $0.isFinite && $0 != 0 }) else {
            throw CUDAError(.callFailed, "sm90/multiply_peak.cu: nothing was multiplied")
        }
        let operationCount = 2 * 2 * 64 * 128 * 64 * (threadCount / 128) * roundCount * device.multiprocessorCount
        return Double(operationCount) / (times.sorted()[launchCount / 2] / .seconds(1))
    }
}

internal import CUDA

/// Memory with known content, and the timing of kernels that move it.
struct MemoryBench {
    private static let patternByteCount = 1 << 20
    private static let launchCount = 4
    private static let replayCount = 11

    private let context: Context
    private let stream: Stream
    private let sources: KernelSources
    private let cache: KernelCache
    private let source: DeviceBuffer<UInt32>
    private let destination: DeviceBuffer<UInt32>
    private let sum: DeviceBuffer<UInt32>
    private let expectedSum: UInt32

    init(_ context: Context, sources: KernelSources, cache: KernelCache, byteCount: Int) throws(CUDAError) {
        let patternCount = max(1, (byteCount + Self.patternByteCount - 1) / Self.patternByteCount)
        let patternWordCount = Self.patternByteCount / 4
        self.context = context
        self.sources = sources
        self.cache = cache
        stream = try Stream(context)
        source = try DeviceBuffer(context, count: patternCount * patternWordCount)
        destination = try DeviceBuffer(context, count: source.count)
        sum = try DeviceBuffer(context, count: 1)
        // Random words: memory full of zeros draws less power and can be read faster than weights.
        var generator = SystemRandomNumberGenerator()
        let pattern = (0..<patternWordCount).map { _ in UInt32.random(in: 0 ... .max, using: &generator) }
        try stream.write(pattern, to: source.part(0..<patternWordCount))
        for index in 1..<max(1, patternCount) {
            let part = index * patternWordCount..<(index + 1) * patternWordCount
            try stream.copy(source.part(0..<patternWordCount), to: source.part(part))
        }
        expectedSum = pattern.reduce(0, &+) &* UInt32(truncatingIfNeeded: patternCount)
    }

    /// The median time of a launch, after a launch whose result is checked.
    func measure(_ candidate: MemoryKernel) throws -> MemoryCeiling.Measurement {
        let (kernel, launch) = try candidate.load(from: sources, cache, in: context)
        try check(candidate, kernel, launch)
        let graph = try stream.capture {
            for _ in 0..<Self.launchCount { try self.launch(candidate, kernel, launch) }
        }
        try graph.upload(on: stream)
        try graph.launch(on: stream)
        let start = try Event(context)
        let end = try Event(context)
        var times: [Duration] = []
        for _ in 0..<Self.replayCount {
            try start.record(on: stream)
            try graph.launch(on: stream)
            try end.record(on: stream)
            try end.synchronize()
            times.append(try end.duration(since: start))
        }
        times.sort()
        return MemoryCeiling.Measurement(
            kernel: candidate, byteCount: candidate.direction == .read ? source.byteCount : 2 * source.byteCount,
            time: times[Self.replayCount / 2] / Self.launchCount)
    }

    private func launch(_ candidate: MemoryKernel, _ kernel: Kernel, _ launch: Launch) throws(CUDAError) {
        let vectorCount = UInt64(source.byteCount / 16)
        switch candidate.direction {
        case .read: try stream.launch(kernel, launch, source, vectorCount, sum)
        case .copy: try stream.launch(kernel, launch, source, destination, vectorCount)
        }
    }

    private func check(_ candidate: MemoryKernel, _ kernel: Kernel, _ launch: Launch) throws(CUDAError) {
        try stream.fill(sum, byte: 0)
        try stream.fill(destination, byte: 0xff)
        try self.launch(candidate, kernel, launch)
        if candidate.direction == .copy {
            let (reader, readerLaunch) = try MemoryKernel.read(loadCount: 4).load(from: sources, cache, in: context)
            try stream.launch(reader, readerLaunch, destination, UInt64(source.byteCount / 16), sum)
        }
        let found = try stream.read(sum)
        guard found == [expectedSum] else {
            throw CUDAError(
                .callFailed, "\(candidate.path) (\(candidate.name)): sum \(found), expected \(expectedSum)")
        }
    }
}

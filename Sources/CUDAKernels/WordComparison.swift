public import CUDA

/// The host side of `any/compare.cu`: counts on the GPU how many words of two buffers differ, so that many results can be
/// compared without reading them.
public struct WordComparison: Sendable {
    static let path = "any/compare.cu"

    private let kernel: Kernel

    /// Compiles and loads the kernel.
    ///
    /// - Throws: ``CUDA/CUDAError`` of the compiler or the driver.
    public init(_ loader: KernelLoader) throws(CUDAError) {
        let program = try loader.sources.program(Self.path, for: loader.context.device.architecture)
        kernel = try loader.cache.module(program, in: loader.context).kernel("compare")
    }

    /// Queues a comparison.
    ///
    /// - Parameters:
    ///   - found: whole words of 4 bytes, at a multiple of 4.
    ///   - expected: as many.
    ///   - count: `[1]`, to which the number of words that differ is added.
    /// - Throws: ``CUDA/CUDAError`` with code `invalidArgument` if the buffers do not fit, or that of the launch.
    public func enqueue<Element>(
        _ found: DeviceBuffer<Element>, _ expected: DeviceBuffer<Element>, addingTo count: DeviceBuffer<UInt32>,
        on stream: Stream
    ) throws(CUDAError) {
        guard found.byteCount == expected.byteCount, found.byteCount.isMultiple(of: 4), count.count == 1,
            found.byteCount <= 1 << 33, (found.address | expected.address).isMultiple(of: 4)
        else {
            throw CUDAError(
                .invalidArgument,
                "compare: buffers of \(found.byteCount) and \(expected.byteCount) bytes, expected as many, in whole words"
            )
        }
        let wordCount = found.byteCount / 4
        guard wordCount > 0 else { return }
        try stream.launch(
            kernel, Launch(grid: Launch.Extent(min(1024, wordCount.dividedRoundingUp(by: 256))), block: 256), found,
            expected, UInt32(wordCount), count)
    }
}

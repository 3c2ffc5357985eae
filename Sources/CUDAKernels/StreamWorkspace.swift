public import CUDA

/// What kernels that stream weights leave to each other, one after another in one stream: counters, and parts of sums.
///
/// Layers that share it overlap: the next one's weights are on their way while the last one finishes.
public final class StreamWorkspace: Sendable {
    /// `StreamState` of `common/stream.cuh`.
    let state: DeviceBuffer<UInt8>
    /// `[blocks][4][floats of a part]`, for the kernel with the largest parts.
    let partials: DeviceBuffer<Float>

    /// The bytes of GPU memory that it takes.
    public static func byteCount(on device: Device) -> Int { MoEStream.stateByteCount + 4 * partialCount(on: device) }

    /// Allocates and clears the memory; what is put into the stream afterwards may use it.
    ///
    /// - Throws: ``CUDA/CUDAError`` with code `outOfMemory`, or that of the call that failed.
    public init(on stream: Stream) throws(CUDAError) {
        state = try DeviceBuffer(stream.context, count: MoEStream.stateByteCount)
        partials = try DeviceBuffer(stream.context, count: Self.partialCount(on: stream.context.device))
        try stream.fill(state, byte: 0)
        // All ones say that a part is not there yet.
        try stream.fill(partials, byte: 0xff)
    }

    private static func partialCount(on device: Device) -> Int {
        device.multiprocessorCount * 4 * MoEStream.largestPartialFloatCount
    }
}

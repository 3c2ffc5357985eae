public import CUDA

/// What the blocks of a router's launches leave to each other, one launch after another in one stream.
public final class RouteWorkspace: Sendable {
    /// The routings of so many experts that it is for.
    let expertCount: Int
    /// Which half of `counts` the next launch uses.
    let turn: DeviceBuffer<UInt32>
    /// The rows of each expert of each block, plus 1, or zero.
    let counts: DeviceBuffer<UInt16>

    /// The memory that it takes.
    static func byteCount(for route: Route, on device: Device) -> Int {
        4 + 2 * route.countCount(blockCount: device.multiprocessorCount)
    }

    /// Allocates and clears the memory; what is put into the stream afterwards may use it.
    ///
    /// - Throws: ``CUDA/CUDAError`` with code `outOfMemory`, or that of the call that failed.
    public init(for route: Route, on stream: Stream) throws(CUDAError) {
        expertCount = route.expertCount
        turn = try DeviceBuffer(stream.context, count: 1)
        counts = try DeviceBuffer(
            stream.context, count: route.countCount(blockCount: stream.context.device.multiprocessorCount))
        try stream.fill(turn, byte: 0)
        try stream.fill(counts, byte: 0)
    }
}

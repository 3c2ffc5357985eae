internal import CUDA

/// A streaming kernel that is loaded, and its launch.
struct StreamEntry: Sendable {
    let stream: MoEStream
    let kernel: Kernel
    private let device: Device

    /// A launch with one block on each SM: all of them must be resident at once.
    ///
    /// - Parameter isEarly: whether the kernel begins to read before the one before it has ended; its blocks then lie beside
    ///   those of that one. Otherwise each takes more than half of an SM's shared memory: where a small kernel comes
    ///   between two of these, two blocks of one launch would come to lie on one SM, and take twice the time.
    func launch(isEarly: Bool) -> Launch {
        Launch(
            grid: Launch.Extent(device.multiprocessorCount), block: Launch.Extent(stream.threadCount),
            dynamicSharedByteCount: isEarly ? stream.sharedByteCount : Self.loneByteCount(stream, device),
            overlapsPrevious: true)
    }

    /// What a launch is told of its phases, if that many experts are hit.
    func cut(expertCount: Int) -> UInt32 {
        UInt32(stream.cut(expertCount: max(1, expertCount), multiprocessorCount: device.multiprocessorCount))
    }

    private static func loneByteCount(_ stream: MoEStream, _ device: Device) -> Int {
        let half = (device.sharedByteCountPerMultiprocessor / 2 + 1024).rounded(upTo: 1024)
        return max(stream.sharedByteCount, min(half, device.maximumSharedByteCountPerBlock))
    }

    /// Loads kernels.
    static func load(_ streams: [MoEStream], _ loader: KernelLoader) throws(CUDAError) -> [StreamEntry] {
        let device = loader.context.device
        return try streams.map { stream throws(CUDAError) in
            let kernel = try stream.load(loader, dynamicSharedByteCount: loneByteCount(stream, device))
            return StreamEntry(stream: stream, kernel: kernel, device: device)
        }
    }
}

extension DeviceBuffer {
    /// Makes sure that there are so many rows, at an address that kernels can read 16 bytes at a time from.
    func checkRows(_ count: Int, pitch: Int, _ what: String) throws(CUDAError) {
        guard self.count >= count * pitch, address % 16 == 0 else {
            throw CUDAError(
                .invalidArgument,
                "\(what) of \(self.count) elements at address \(address), expected at least \(count * pitch) at a "
                    + "multiple of 16")
        }
    }
}

internal import CUDA

/// A streaming kernel that is loaded, and its launch.
struct StreamEntry: Sendable {
    let stream: MoEStream
    let kernel: Kernel
    let launch: Launch

    /// Compiles kernels, several at a time, and loads them.
    static func load(_ streams: [MoEStream], _ loader: KernelLoader) throws(CUDAError) -> [StreamEntry] {
        var programs: [KernelProgram] = []
        for stream in streams {
            programs.append(try stream.program(from: loader.sources, for: loader.context.device.architecture))
        }
        try loader.cache.compile(programs)
        var entries: [StreamEntry] = []
        for stream in streams {
            let kernel = try stream.load(from: loader.sources, loader.cache, in: loader.context)
            entries.append(
                StreamEntry(stream: stream, kernel: kernel, launch: stream.launch(on: loader.context.device)))
        }
        return entries
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

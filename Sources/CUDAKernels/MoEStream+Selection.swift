internal import CUDA

extension MoEStream: CustomStringConvertible {
    /// The parameters that a person looks for: `stream, blocks of 8 rows, 5 stages of 8 slabs`.
    var description: String {
        "stream, blocks of \(rowCount) rows, \(pipeline.stages) stages of \(pipeline.chunk) slabs"
            + (route == nil ? "" : ", routes by itself")
    }

    /// The kernels for a layer on a GPU, by rising numbers of tokens up to the maximum or as far as they go; none if the
    /// GPU cannot run any.
    static func kernels(
        for shape: ExpertShape, route: Route? = nil, maximumTokenCount: Int, on device: Device
    ) -> [MoEStream] {
        guard device.architecture.major >= 9 else { return [] }
        var kernels: [MoEStream] = []
        for tokenCount in tokenCounts {
            guard
                let kernel = MoEStream(shape, route: route, tokenCount: tokenCount, on: Resources(device))
            else { break }
            kernels.append(kernel)
            if tokenCount >= maximumTokenCount { break }
        }
        return kernels
    }

    /// The kernel for one token whose routing is known early, where there is a better one than the usual.
    static func early(_ configuration: MoEConfiguration, on device: Device) -> MoEStream? {
        early(configuration.shape, topK: configuration.topK, on: Resources(device))
    }

    /// Why no kernel takes so many tokens.
    static func refusal(tokenCount: Int, on device: Device) -> String {
        let largest = tokenCounts.last ?? 0
        if device.architecture.major < 9 { return "the streaming kernel needs sm_90 or newer, not \(device)" }
        if tokenCount > largest { return "the streaming kernel takes at most \(largest) tokens" }
        return
            "the streaming kernel needs more than the \(device.maximumSharedByteCountPerBlock) bytes of shared memory "
            + "that a block of \(device) can have"
    }
}

extension MoEStream.Resources {
    init(_ device: Device) {
        self.init(
            architecture: device.architecture, sharedByteCount: device.maximumSharedByteCountPerBlock,
            multiprocessorCount: device.multiprocessorCount)
    }
}

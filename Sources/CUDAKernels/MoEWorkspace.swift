public import CUDA

/// Memory that layers of one configuration use while they run, one after another in one stream.
public final class MoEWorkspace: Sendable {
    /// The layers that it is for.
    public let configuration: MoEConfiguration
    /// What this layer's kernels share with others.
    public let streaming: StreamWorkspace

    /// BF16 `[rows, hidden pitch]`, zero beyond `I`.
    let hidden: DeviceBuffer<UInt16>

    /// The memory that a workspace takes, besides the part that it shares.
    ///
    /// - Throws: ``CUDAError`` with code `unsupported` if the sizes are not.
    public static func byteCount(for configuration: MoEConfiguration) throws(CUDAError) -> Int {
        try configuration.check()
        return 2 * configuration.maximumRowCount * configuration.shape.hiddenPitch
    }

    /// Allocates and clears a workspace; what is put into the stream afterwards may use it.
    ///
    /// - Parameter streaming: shared with other layers of the stream; nil for one of its own.
    /// - Throws: ``CUDAError`` with code `outOfMemory`, or `unsupported` if the sizes are not.
    public init(
        _ configuration: MoEConfiguration, sharing streaming: StreamWorkspace? = nil, on stream: Stream
    ) throws(CUDAError) {
        let byteCount = try Self.byteCount(for: configuration)
        self.configuration = configuration
        if let streaming { self.streaming = streaming } else { self.streaming = try StreamWorkspace(on: stream) }
        hidden = try DeviceBuffer(stream.context, count: byteCount / 2)
        try stream.fill(hidden, byte: 0)
    }
}

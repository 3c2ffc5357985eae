public import CUDA

/// Memory that linear layers use while they run, one after another in one stream.
public final class LinearWorkspace: Sendable {
    /// What the kernels for few tokens share with others.
    public let streaming: StreamWorkspace

    /// For more tokens; nil if no layer takes so many.
    let grouped: GroupedMatrix.Memory?

    /// Allocates and clears memory for any of some layers; what is put into the stream afterwards may use it.
    ///
    /// - Parameter streaming: shared with other layers of the stream; nil for one of its own.
    /// - Throws: ``CUDA/CUDAError`` with code `outOfMemory`, or that of the call that failed.
    public init(
        for layers: [LinearLayer], sharing streaming: StreamWorkspace? = nil, on stream: Stream
    ) throws(CUDAError) {
        if let streaming { self.streaming = streaming } else { self.streaming = try StreamWorkspace(on: stream) }
        let counts = layers.compactMap(\.groupedCounts)
        grouped = counts.isEmpty ? nil : try GroupedMatrix.Memory(counts, on: stream)
    }

    /// The memory for a layer; nil if there is not enough for it.
    func memory(for layer: LinearLayer) -> GroupedMatrix.Memory? {
        guard let grouped, let counts = layer.groupedCounts, grouped.holds(counts) else { return nil }
        return grouped
    }
}

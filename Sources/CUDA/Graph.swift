internal import CCUDA

/// Work that was recorded once and is launched as a whole, as often as needed, for a few microseconds of the host.
///
/// It holds addresses, not buffers: all memory and kernels that it uses must stay alive while it is launched.
public final class Graph: Sendable {
    /// The context that it runs in.
    public let context: Context
    /// How many kernels, copies and fills it consists of.
    public let nodeCount: Int

    private nonisolated(unsafe) let handle: CUgraphExec

    /// Makes recorded work executable and gives the record back.
    init(_ context: Context, recorded: CUgraph) throws(CUDAError) {
        let driver = context.driver
        defer { context.release(driver.graphDestroy) { $0(recorded) } }
        var nodeCount = 0
        try context.call(driver.graphGetNodes) { $0(recorded, nil, &nodeCount) }
        var handle: CUgraphExec?
        try context.call(driver.graphInstantiate, "\(nodeCount) nodes") { $0(&handle, recorded, 0) }
        guard let handle else { throw CUDAError(.callFailed, "the driver returned no executable graph") }
        self.context = context
        self.nodeCount = nodeCount
        self.handle = handle
    }

    deinit {
        context.release(context.driver.graphExecDestroy) { $0(handle) }
    }

    /// Queues what the first launch would otherwise do first: moving the graph to the GPU.
    ///
    /// - Throws: ``CUDAError`` of the call that failed.
    public func upload(on stream: Stream) throws(CUDAError) {
        try context.call(context.driver.graphUpload) { $0(handle, stream.handle) }
    }

    /// Queues the recorded work.
    ///
    /// Two launches of one graph run after each other.
    ///
    /// - Throws: ``CUDAError`` of the call that failed; what goes wrong while it runs shows at a later wait.
    public func launch(on stream: Stream) throws(CUDAError) {
        try context.call(context.driver.graphLaunch) { $0(handle, stream.handle) }
    }
}

extension Stream {
    /// Records the work that `body` puts into this stream, instead of doing it.
    ///
    /// `body` must not wait for the stream, allocate or give back GPU memory, or load kernels; the driver refuses that.
    /// Work of other threads is not disturbed.
    ///
    /// - Throws: what `body` throws, or ``CUDAError``; the stream is usable again in either case.
    public func capture(_ body: () throws -> Void) throws -> Graph {
        let driver = context.driver
        try context.call(driver.streamBeginCapture) { $0(handle, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL) }
        let outcome = Result { try body() }
        // Recording is ended whatever happened before, or the stream could not be used again.
        let current = Result { try context.makeCurrent() }
        var recorded: CUgraph?
        let end = Result { try driver.call(driver.streamEndCapture) { $0(handle, &recorded) } }
        do {
            try outcome.get()
            try current.get()
            try end.get()
        } catch {
            if let recorded { context.release(driver.graphDestroy) { $0(recorded) } }
            throw error
        }
        guard let recorded else { throw CUDAError(.callFailed, "the driver returned no graph") }
        return try Graph(context, recorded: recorded)
    }
}

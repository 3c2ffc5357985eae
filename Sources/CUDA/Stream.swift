internal import CCUDA

/// A queue of work on a GPU: what is put into one stream happens in order.
///
/// Work is asynchronous: functions return when it is queued, unless they say that they wait. Memory that queued work uses
/// must stay alive until ``synchronize()`` or an ``Event`` says that it is done. A stream may be used from any thread;
/// threads that share one decide the order among themselves.
public final class Stream: Sendable {
    /// The context that it belongs to.
    public let context: Context

    nonisolated(unsafe) let handle: CUstream

    /// A new stream that does not wait for the default stream of other libraries.
    ///
    /// - Throws: ``CUDAError`` of the call that failed.
    public init(_ context: Context) throws(CUDAError) {
        var handle: CUstream?
        try context.call(context.driver.streamCreate) { $0(&handle, UInt32(CU_STREAM_NON_BLOCKING)) }
        guard let handle else { throw CUDAError(.callFailed, "the driver returned no stream") }
        self.context = context
        self.handle = handle
    }

    deinit {
        context.release(context.driver.streamDestroy) { $0(handle) }
    }

    /// Waits until everything queued so far is done.
    ///
    /// - Throws: ``CUDAError``; a kernel that failed since the last wait shows here.
    public func synchronize() throws(CUDAError) {
        try context.call(context.driver.streamSynchronize) { $0(handle) }
    }

    /// Lets later work of this stream begin only when the work before an event's last ``Event/record(on:)`` is done.
    ///
    /// - Throws: ``CUDAError`` of the call that failed.
    public func wait(for event: Event) throws(CUDAError) {
        try context.call(context.driver.streamWaitEvent) { $0(handle, event.handle, 0) }
    }
}

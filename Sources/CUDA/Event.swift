internal import CCUDA

/// A point in a stream that others can wait for and that clocks can be read at.
public final class Event: Sendable {
    /// The context that it belongs to.
    public let context: Context

    nonisolated(unsafe) let handle: CUevent

    /// A new event.
    ///
    /// - Parameters:
    ///   - context: the context that it belongs to.
    ///   - isTimed: whether the GPU notes the time; an event without is cheaper to wait for.
    /// - Throws: ``CUDAError`` of the call that failed.
    public init(_ context: Context, isTimed: Bool = true) throws(CUDAError) {
        let flags = UInt32(isTimed ? CU_EVENT_DEFAULT : CU_EVENT_DISABLE_TIMING)
        var handle: CUevent?
        try context.call(context.driver.eventCreate) { $0(&handle, flags) }
        guard let handle else { throw CUDAError(.callFailed, "the driver returned no event") }
        self.context = context
        self.handle = handle
    }

    deinit {
        context.release(context.driver.eventDestroy) { $0(handle) }
    }

    /// Puts the event behind the work that a stream has now.
    ///
    /// - Throws: ``CUDAError`` of the call that failed.
    public func record(on stream: Stream) throws(CUDAError) {
        try context.call(context.driver.eventRecord) { $0(handle, stream.handle) }
    }

    /// Waits until the work before the event is done.
    ///
    /// - Throws: ``CUDAError``; a kernel that failed before the event shows here.
    public func synchronize() throws(CUDAError) {
        try context.call(context.driver.eventSynchronize) { $0(handle) }
    }

    /// The time on the GPU from an earlier event to this one; both have happened.
    ///
    /// Its resolution is about 0.5 µs.
    ///
    /// - Throws: ``CUDAError`` if one has not happened yet or is not timed.
    public func duration(since start: Event) throws(CUDAError) -> Duration {
        var milliseconds: Float = 0
        try context.call(context.driver.eventElapsedTime) { $0(&milliseconds, start.handle, handle) }
        return .nanoseconds(Int64((Double(milliseconds) * 1e6).rounded()))
    }
}

internal import CCUDA

/// The use of a GPU by this process: the device's primary context, which other CUDA libraries in the process share.
///
/// The driver keeps one current context per thread, and Swift tasks change threads at every suspension. So each call
/// makes this context current on the calling thread first (a few tens of nanoseconds) and leaves it so; everything that
/// holds a context may be used from any thread.
public final class Context: Sendable {
    /// The GPU.
    public let device: Device
    /// The driver's entry points.
    var driver: Driver { device.driver }

    private nonisolated(unsafe) let handle: CUcontext

    /// Starts to use a GPU.
    ///
    /// The first context of a process takes about 0.2 s.
    ///
    /// - Throws: ``CUDAError`` of the call that failed.
    public init(_ device: Device) throws(CUDAError) {
        let driver = device.driver
        var handle: CUcontext?
        try driver.call(driver.primaryCtxRetain, "\(device)") { $0(&handle, device.handle) }
        guard let handle else { throw CUDAError(.callFailed, "the driver returned no context for \(device)") }
        self.device = device
        self.handle = handle
    }

    deinit {
        driver.release(driver.primaryCtxRelease) { $0(device.handle) }
    }

    /// Waits until the GPU has done everything that was asked of it in this context.
    ///
    /// - Throws: ``CUDAError``; a kernel that failed since the last wait shows here.
    public func synchronize() throws(CUDAError) {
        try call(driver.ctxSynchronize) { $0() }
    }

    /// The memory of the GPU that no process uses.
    ///
    /// - Throws: ``CUDAError`` of the call that failed.
    public func freeByteCount() throws(CUDAError) -> Int {
        var free = 0
        var total = 0
        try call(driver.memGetInfo) { $0(&free, &total) }
        return free
    }

    /// Makes this the context of the calling thread.
    func makeCurrent() throws(CUDAError) {
        try driver.call(driver.ctxSetCurrent) { $0(handle) }
    }

    /// Makes a call in this context.
    func call<Pointer>(
        _ function: Function<Pointer>, _ context: @autoclosure () -> String = "", _ body: (Pointer) -> CUresult
    ) throws(CUDAError) {
        try makeCurrent()
        try driver.call(function, context(), body)
    }

    /// Makes a call in this context that gives something back; a failure is only reported.
    func release<Pointer>(_ function: Function<Pointer>, _ body: (Pointer) -> CUresult) {
        driver.release(driver.ctxSetCurrent) { $0(handle) }
        driver.release(function, body)
    }
}

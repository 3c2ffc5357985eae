/// One measured line of a table.
public struct KernelRow: Sendable {
    /// What was measured.
    public let operation: KernelOperation
    /// The layout of block scales of ``KernelOperation/quantize``; on GPUs the matrix or the backend, else empty.
    public let layout: String
    /// `T`.
    public let tokenCount: Int
    /// The distinct experts that the tokens chose, where they choose some.
    public let distinctExpertCount: Int?
    /// What had to be moved and computed.
    public let work: KernelWork
    /// The median time.
    public let medianSeconds: Double
    /// The least time.
    public let minimumSeconds: Double
    /// The time that the work takes at the device's limits.
    public let limitSeconds: Double

    init(
        _ operation: KernelOperation, layout: String = "", tokenCount: Int, distinctExpertCount: Int? = nil,
        work: KernelWork, times: Statistics, limits: DeviceLimits
    ) {
        self.operation = operation
        self.layout = layout
        self.tokenCount = tokenCount
        self.distinctExpertCount = distinctExpertCount
        self.work = work
        medianSeconds = times.median
        minimumSeconds = times.minimum
        limitSeconds = limits.seconds(for: work)
    }

    /// Bytes per second at the median.
    public var bytesPerSecond: Double { Double(work.byteCount) / medianSeconds }
    /// Multiplications and additions per second at the median, nil where the operation is not about them.
    public var operationsPerSecond: Double? {
        work.operationCount > 0 ? Double(work.operationCount) / medianSeconds : nil
    }
    /// The part of the median that the limits account for.
    public var shareOfLimit: Double { limitSeconds / medianSeconds }
}

/// What a device does at best.
public struct DeviceLimits: Sendable, Equatable {
    /// Bytes read from memory in a second.
    public let bytesPerSecond: Double
    /// Multiplications and additions in a second: of float32 numbers on CPUs, of BF16 matrices on GPUs.
    public let operationsPerSecond: Double
    /// Multiplications and additions of 8-bit integers in a second, if activations are such.
    public let int8OperationsPerSecond: Double?

    /// Describes a device.
    public init(bytesPerSecond: Double, operationsPerSecond: Double, int8OperationsPerSecond: Double? = nil) {
        self.bytesPerSecond = bytesPerSecond
        self.operationsPerSecond = operationsPerSecond
        self.int8OperationsPerSecond = int8OperationsPerSecond
    }

    /// The time that work takes at least: its bytes or its arithmetic, whichever takes longer.
    public func seconds(for work: KernelWork) -> Double {
        max(
            Double(work.byteCount) / bytesPerSecond,
            Double(work.operationCount) / (int8OperationsPerSecond ?? operationsPerSecond))
    }
}

public import FP4
public import Kernels

extension CPUBackend: BenchmarkDevice {
    /// The instruction set, and the precision of activations unless it is the full one.
    public var deviceName: String {
        let name = "cpu \(instructionSet.rawValue)"
        return activationPrecision == .full ? name : "\(name), \(activationPrecision.rawValue) activations"
    }

    /// The last-level caches of all cores.
    public var cacheByteCount: Int { HostMemory.cacheByteCount }

    /// What this process can still get of the machine's memory.
    public var memoryByteCount: Int { min(Self.availableMemoryByteCount ?? .max, HostMemory.byteCount) }

    /// Measures the rates at which all threads read memory, and multiply and add in registers.
    public func measureLimits() -> DeviceLimits {
        DeviceLimits(
            bytesPerSecond: ReadBandwidth.measure(self),
            operationsPerSecond: ArithmeticPeak.measure(self, of: .float32),
            int8OperationsPerSecond: activationPrecision == .int8 ? ArithmeticPeak.measure(self, of: .int8) : nil)
    }

    /// The experts chosen last.
    public func readSelectedExperts() -> [Int32] { selectedExperts }

    /// Makes a buffer of NVFP4 activations whose bytes are all 0xFF.
    public func makeQuantizedActivations(
        rowCount: Int, columnCount: Int, tiling: ScaleLayout.Tiling
    ) throws(KernelError) -> CPUQuantizedActivations {
        try CPUQuantizedActivations(rowCount: rowCount, columnCount: columnCount, tiling: tiling)
    }

    /// The block scales with their padding.
    public func readScales(_ quantized: CPUQuantizedActivations) -> [UInt8] { Array(quantized.scales) }
}

public import Kernels

/// The rate at which a CPU backend's threads read memory: the ceiling of decoding.
public enum ReadBandwidth {
    /// Reads a buffer several times with all threads and takes the fastest pass.
    ///
    /// - Parameters:
    ///   - backend: whose threads read.
    ///   - byteCount: the size of the buffer, far beyond the caches.
    /// - Returns: bytes per second.
    public static func measure(_ backend: CPUBackend, byteCount: Int = 1 << 30, passCount: Int = 5) -> Double {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 4096)
        defer { buffer.deallocate() }
        buffer.initializeMemory(as: UInt8.self, repeating: 1)
        let clock = ContinuousClock()
        let durations = (0..<passCount).map { _ in
            clock.measure { backend.readThrough(UnsafeRawBufferPointer(buffer)) }
        }
        let fastest = durations.min() ?? .seconds(1)
        return Double(byteCount) / fastest.seconds
    }

    /// Reads a model's weights once from end to end, those that fit in a cache several times.
    ///
    /// - Returns: bytes per second.
    public static func measure(_ backend: CPUBackend, weights: WeightMemory) -> Double {
        let byteCount = max(1, weights.byteCount)
        let passCount = (leastByteCount + byteCount - 1) / byteCount
        let duration = ContinuousClock().measure {
            for _ in 0..<passCount { backend.readThrough(weights) }
        }
        return Double(passCount * byteCount) / duration.seconds
    }

    /// What takes a millisecond or more to read.
    private static let leastByteCount = 64 << 20
}

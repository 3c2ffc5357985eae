import FP4
import Kernels

/// The bytes of a synthetic tensor.
final class SyntheticBytes: @unchecked Sendable {
    private let bytes: UnsafeMutableRawBufferPointer

    init(count: Int) { bytes = .allocate(byteCount: count, alignment: 64) }

    deinit { bytes.deallocate() }

    func strided(rowStride: Int, columnStride: Int) -> StridedBytes {
        let base = bytes.baseAddress.map { UnsafeRawPointer($0) } ?? UnsafeRawPointer(bitPattern: 1).unsafelyUnwrapped
        return StridedBytes(base: base, rowStride: rowStride, columnStride: columnStride)
    }

    /// Fills with random bytes, each passed through `transform`.
    func fill(using random: inout SplitMix64, _ transform: (UInt8) -> UInt8 = { $0 }) {
        var bits: UInt64 = 0
        for index in bytes.indices {
            if index & 7 == 0 { bits = random.next() }
            bytes[index] = transform(UInt8(truncatingIfNeeded: bits))
            bits >>= 8
        }
    }

    /// Fills with uniform bfloat16 numbers from `-amplitude` to `amplitude`.
    func fillBFloat16(amplitude: Float, using random: inout SplitMix64) {
        let elements = bytes.bindMemory(to: UInt16.self)
        var bits: UInt64 = 0
        for index in elements.indices {
            if index & 3 == 0 { bits = random.next() }
            let uniform = Float(Int16(truncatingIfNeeded: bits)) / 32768
            elements[index] = BFloat16(uniform * amplitude).bits
            bits >>= 16
        }
    }
}

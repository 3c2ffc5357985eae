import FP4
import Kernels

/// The bytes of a synthetic matrix: a random sequence, of which each row is a window that starts a little later.
///
/// So a matrix takes a small part of the memory that its packed form does, and a model of synthetic weights hardly more
/// than its packed weights.
final class SyntheticBytes: @unchecked Sendable {
    /// The matrix.
    var entries: StridedBytes {
        let base = bytes.baseAddress.map { UnsafeRawPointer($0) } ?? UnsafeRawPointer(bitPattern: 1).unsafelyUnwrapped
        return StridedBytes(base: base, rowStride: rowStride, columnStride: columnStride)
    }

    private let bytes: UnsafeMutableRawBufferPointer
    private let rowStride: Int
    private let columnStride: Int

    /// Makes room for `columnCount` entries of `entrySize` bytes in each of at least one row.
    init(rowCount: Int, columnCount: Int, entrySize: Int = 1) {
        let rowByteCount = columnCount * entrySize
        rowStride = min(rowByteCount, 16)
        columnStride = entrySize
        bytes = .allocate(byteCount: (rowCount - 1) * rowStride + rowByteCount, alignment: 64)
    }

    deinit { bytes.deallocate() }

    /// Fills with random bytes, each passed through `transform`.
    func fill(using random: inout SplitMix64, _ transform: (UInt8) -> UInt8 = { $0 }) {
        var bits: UInt64 = 0
        for index in bytes.indices {
            if index & 7 == 0 { bits = random.next() }
            bytes[index] = transform(UInt8(truncatingIfNeeded: bits))
            bits >>= 8
        }
    }

    /// Fills with bfloat16 numbers of a normal distribution around zero, as trained weights have it.
    ///
    /// Each is the sum of twelve uniform numbers, whose variance is one: no function of it depends on the system.
    func fillBFloat16(standardDeviation: Float, using random: inout SplitMix64) {
        let elements = bytes.bindMemory(to: UInt16.self)
        for index in elements.indices {
            var sum = 0
            for _ in 0..<3 {
                let bits = random.next()
                for shift in stride(from: 0, to: 64, by: 16) { sum += Int(Int16(truncatingIfNeeded: bits >> shift)) }
            }
            elements[index] = BFloat16(Float(sum) / 65536 * standardDeviation).bits
        }
    }
}

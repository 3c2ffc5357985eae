/// A 16-bit floating-point number with the range of `Float`: its upper half.
@frozen
public struct BFloat16: Hashable, Sendable {
    /// The bits.
    public let bits: UInt16

    /// The number with the given bits.
    @inlinable
    public init(bits: UInt16) { self.bits = bits }

    /// The number nearest to a value; of two equally near, the one with the even bits.
    ///
    /// What rounds past the range becomes an infinity. NaN stays NaN (quiet, with the upper bits of its payload), and
    /// the sign stays.
    @inlinable @inline(__always)
    public init(_ value: Float) {
        let pattern = value.bitPattern
        let isOdd = (pattern >> 16) & 1
        let rounded = (pattern &+ 0x7FFF &+ isOdd) >> 16
        bits = UInt16(truncatingIfNeeded: value.isNaN ? (pattern >> 16) | 0x40 : rounded)
    }
}

extension Float {
    /// The value of a 16-bit floating-point number; exact.
    @inlinable @inline(__always)
    public init(_ number: BFloat16) { self.init(bitPattern: UInt32(number.bits) << 16) }
}

extension BFloat16 {
    /// Decodes numbers as they lie in a file.
    ///
    /// - Parameters:
    ///   - bytes: `2 * values.count` bytes, little-endian, at any alignment.
    ///   - values: receives the exact values.
    public static func decode(_ bytes: UnsafeRawBufferPointer, into values: UnsafeMutableBufferPointer<Float>) {
        precondition(bytes.count == 2 * values.count, "BF16 takes two bytes a value")
        for index in values.indices {
            let bits = bytes.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)
            values[index] = Float(BFloat16(bits: UInt16(littleEndian: bits)))
        }
    }
}

/// A 16-bit floating-point number of IEEE 754 (binary16): sign, 5 exponent bits, 10 significand bits.
///
/// Swift's `Float16` is the same format, but does not exist on macOS for Intel; this one exists everywhere.
@frozen
public struct FP16: Hashable, Sendable {
    /// The bits.
    public let bits: UInt16

    /// The number with the given bits.
    @inlinable
    public init(bits: UInt16) { self.bits = bits }

    /// The number nearest to a value; of two equally near, the one with the even bits.
    ///
    /// Magnitudes from 65520 become infinities. NaN stays NaN (quiet, with the upper bits of its payload), and the sign
    /// stays.
    @inlinable @inline(__always)
    public init(_ value: Float) {
        let pattern = value.bitPattern
        let infinity: UInt32 = 0x7C00
        let magnitude =
            value.isNaN
            ? 0x7E00 | ((pattern >> 13) & 0x3FF)
            : min(infinity, FP16.format.code(ofMagnitude: value.magnitude))
        bits = UInt16(truncatingIfNeeded: ((pattern >> 16) & 0x8000) | magnitude)
    }

    @usableFromInline static var format: Minifloat { Minifloat(significandBitCount: 10, exponentBias: 15) }
}

extension Float {
    /// The value of a 16-bit floating-point number; exact.
    @inlinable @inline(__always)
    public init(_ number: FP16) {
        let code = UInt32(number.bits & 0x7FFF)
        let magnitude =
            code < 0x7C00
            ? FP16.format.magnitude(ofCode: code)
            : Float(bitPattern: 0x7F80_0000 | (code & 0x3FF) << 13)
        self = number.bits & 0x8000 == 0 ? magnitude : -magnitude
    }
}

extension FP16 {
    /// Decodes numbers as they lie in a file.
    ///
    /// - Parameters:
    ///   - bytes: `2 * values.count` bytes, little-endian, at any alignment.
    ///   - values: receives the exact values.
    public static func decode(_ bytes: UnsafeRawBufferPointer, into values: UnsafeMutableBufferPointer<Float>) {
        precondition(bytes.count == 2 * values.count, "FP16 takes two bytes a value")
        for index in values.indices {
            let bits = bytes.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)
            values[index] = Float(FP16(bits: UInt16(littleEndian: bits)))
        }
    }
}

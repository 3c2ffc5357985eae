/// A 4-bit floating-point number: sign, 2 exponent bits, 1 significand bit (OCP Microscaling v1.0, FP4).
///
/// The codes 0...7 are 0, 0.5, 1, 1.5, 2, 3, 4 and 6; 8...15 are their negatives, with 8 for -0. There is no infinity
/// and no NaN. Two codes share a byte, the element with the even index in the low nibble.
@frozen
public struct E2M1: Hashable, Sendable {
    /// The code, 0...15.
    public let bits: UInt8

    /// The number with a code; only the low four bits count.
    @inlinable
    public init(bits: UInt8) { self.bits = bits & 0xF }

    /// The number nearest to a value; of two equally near, the one with the even code.
    ///
    /// Magnitudes above 6 and infinities become ±6, NaN becomes 6 (as PTX's `cvt.rn.satfinite.e2m1x2` has it); the sign
    /// of zero stays.
    @inlinable @inline(__always)
    public init(_ value: Float) {
        // `min` with the NaN as second operand yields the 6.
        let code = E2M1.format.code(ofMagnitude: min(6, value.magnitude))
        let sign: UInt32 = value.isNaN ? 0 : (value.bitPattern >> 31) << 3
        bits = UInt8(truncatingIfNeeded: sign | code)
    }

    /// 6, the largest number.
    public static var greatestFiniteMagnitude: E2M1 { E2M1(bits: 7) }

    @usableFromInline static var format: Minifloat { Minifloat(significandBitCount: 1, exponentBias: 1) }
}

extension Float {
    /// The value of a 4-bit floating-point number; exact.
    @inlinable @inline(__always)
    public init(_ number: E2M1) {
        let magnitude = E2M1.format.magnitude(ofCode: UInt32(number.bits & 7))
        self = number.bits & 8 == 0 ? magnitude : -magnitude
    }
}

/// An 8-bit floating-point number: sign, 4 exponent bits, 3 significand bits, no infinity (OCP 8-bit floating point
/// v1.0; `float8_e4m3fn`).
///
/// The largest number is 448, the smallest normal one 2^-6, the smallest subnormal one 2^-9; 0x7F and 0xFF are NaN.
@frozen
public struct E4M3: Hashable, Sendable {
    /// The code.
    public let bits: UInt8

    /// The number with a code.
    @inlinable
    public init(bits: UInt8) { self.bits = bits }

    /// The number nearest to a value; of two equally near, the one with the even code.
    ///
    /// Magnitudes above 448 and infinities become ±448; NaN stays NaN, and the sign stays.
    @inlinable @inline(__always)
    public init(_ value: Float) {
        let code = E4M3.format.code(ofMagnitude: min(448, value.magnitude))
        let sign = UInt8(truncatingIfNeeded: value.bitPattern >> 24) & 0x80
        bits = sign | (value.isNaN ? 0x7F : UInt8(truncatingIfNeeded: code))
    }

    /// Whether this is NaN.
    @inlinable
    public var isNaN: Bool { bits & 0x7F == 0x7F }

    /// 1.
    public static var one: E4M3 { E4M3(bits: 0x38) }
    /// 448, the largest number.
    public static var greatestFiniteMagnitude: E4M3 { E4M3(bits: 0x7E) }
    /// 2^-9, the smallest number above zero.
    public static var leastNonzeroMagnitude: E4M3 { E4M3(bits: 0x01) }
    /// NaN.
    public static var nan: E4M3 { E4M3(bits: 0x7F) }

    @usableFromInline static var format: Minifloat { Minifloat(significandBitCount: 3, exponentBias: 7) }
}

extension Float {
    /// The value of an 8-bit floating-point number; exact.
    @inlinable @inline(__always)
    public init(_ number: E4M3) {
        let magnitude = number.isNaN ? .nan : E4M3.format.magnitude(ofCode: UInt32(number.bits & 0x7F))
        self = number.bits & 0x80 == 0 ? magnitude : -magnitude
    }
}

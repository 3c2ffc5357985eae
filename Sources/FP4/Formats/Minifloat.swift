/// The arithmetic that the small floating-point formats share: a sign, an exponent with a bias, and a short significand
/// with subnormals, as IEEE 754 lays them out.
///
/// Only magnitudes of finite numbers pass through here; signs, infinities and NaN differ between the formats.
@usableFromInline
struct Minifloat {
    /// The stored bits of the significand, without the leading one.
    @usableFromInline let significandBitCount: UInt32
    /// What the exponent field exceeds the exponent by.
    @usableFromInline let exponentBias: UInt32

    @inlinable @inline(__always)
    init(significandBitCount: UInt32, exponentBias: UInt32) {
        self.significandBitCount = significandBitCount
        self.exponentBias = exponentBias
    }

    /// The number of `Float`'s significand bits that the format lacks.
    @inlinable @inline(__always)
    var lostBitCount: UInt32 { 23 - significandBitCount }

    /// What `Float`'s exponent field exceeds the format's by, in place in the exponent field of `Float`.
    @inlinable @inline(__always)
    var rebias: UInt32 { (127 - exponentBias) << 23 }

    /// The code nearest to a magnitude; of two equally near, the even one.
    ///
    /// - Parameter magnitude: not negative, not NaN. Beyond the format's range the codes continue as if the exponent
    ///   field had more bits, so the caller clamps either the magnitude or the code.
    @inlinable @inline(__always)
    func code(ofMagnitude magnitude: Float) -> UInt32 {
        let bits = magnitude.bitPattern
        // The spacing of subnormals is that of Float in [unit, 2 * unit): the addition itself rounds to it.
        let unit = (127 + 23 + 1 - exponentBias - significandBitCount) << 23
        let subnormal = (magnitude + Float(bitPattern: unit)).bitPattern &- unit
        // Half a step, less one where the code is even, carries into the code exactly when it has to go up.
        let isOdd = (bits >> lostBitCount) & 1
        let normal = (bits &- rebias &+ (1 << (lostBitCount - 1)) &- 1 &+ isOdd) >> lostBitCount
        let smallestNormal = (128 - exponentBias) << 23
        return bits < smallestNormal ? subnormal : normal
    }

    /// The magnitude of a code without its sign bit; exact.
    @inlinable @inline(__always)
    func magnitude(ofCode code: UInt32) -> Float {
        let subnormalSpacing = Float(bitPattern: (128 - exponentBias - significandBitCount) << 23)
        return code < 1 << significandBitCount
            ? Float(code) * subnormalSpacing
            : Float(bitPattern: (code << lostBitCount) &+ rebias)
    }
}

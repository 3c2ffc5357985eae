/// The 4-bit microscaling format: E2M1 elements and an E8M0 scale for each 32 of them (OCP Microscaling v1.0).
///
/// An element's value is `e2m1 * blockScale`. As in ``NVFP4``, blocks run along the contraction dimension and those of
/// consecutive rows are consecutive. gpt-oss's `[rows, K / 32, 16]` blocks are the same bytes as `[rows, K / 2]`.
public enum MXFP4 {
    /// Elements that share a block scale.
    public static var blockSize: Int { 32 }

    /// The power of two that scales a block, by the rule named EVEN in torchao, which compressed-tensors uses.
    ///
    /// The maximum is first rounded to one significand bit, halves upwards; the scale is the power of two at or below
    /// that, over 4, so that the maximum becomes at least 3.5 and less than 7 (clamped to 6). It is 2^-127 for maxima
    /// too small for any other, zero included.
    ///
    /// - Parameter absoluteMaximum: not negative. NaN gives NaN, an infinity 2^126.
    public static func blockScale(absoluteMaximum: Float) -> E8M0 {
        guard !absoluteMaximum.isNaN else { return .nan }
        let exponent = (absoluteMaximum.bitPattern + (1 << 21)) >> 23
        return E8M0(bits: UInt8(truncatingIfNeeded: max(exponent, 2) - 2))
    }

    /// Thirty-two elements and their scale.
    ///
    /// This is the one place where MXFP4 is rounded and expanded, with `MXFP4+ModelOpt`.
    public struct Block: Hashable, Sendable {
        /// Thirty-two E2M1 codes, the element with the even index in the low nibble.
        public var codes: SIMD16<UInt8>
        /// The scale of the thirty-two elements.
        public var scale: E8M0

        /// A block with the given codes and scale.
        public init(codes: SIMD16<UInt8>, scale: E8M0) {
            self.codes = codes
            self.scale = scale
        }

        /// Quantizes thirty-two weights bit for bit as compressed-tensors 0.20 does.
        ///
        /// The scale is ``MXFP4/blockScale(absoluteMaximum:)``; a code is `e2m1(weight / scale)`, with both kinds of zero
        /// coded 0. An infinity becomes ±6 under a scale of 2^126. A NaN makes the whole block NaN: scale NaN, codes 7.
        @inline(__always)
        public init(weights: SIMD32<Float>) {
            let low = absoluteMaximum(of: weights.lowHalf)
            let high = absoluteMaximum(of: weights.highHalf)
            // Compared as bits, a NaN is the larger one.
            scale = MXFP4.blockScale(absoluteMaximum: low.bitPattern < high.bitPattern ? high : low)
            let step = Float(scale)
            codes = SIMD16(
                lowHalf: E2M1.packed(weights.lowHalf / step + 0), highHalf: E2M1.packed(weights.highHalf / step + 0))
        }

        /// The thirty-two elements times the scale; exact while they stay in the range of `Float`.
        @inline(__always)
        public func values() -> SIMD32<Float> {
            let factor = Float(scale)
            return SIMD32(
                lowHalf: E2M1.unpacked(codes.lowHalf) * factor, highHalf: E2M1.unpacked(codes.highHalf) * factor)
        }
    }
}

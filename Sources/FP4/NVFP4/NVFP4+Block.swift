extension NVFP4 {
    /// Sixteen elements and their scale.
    ///
    /// This is the one place where NVFP4 is rounded and expanded.
    public struct Block: Hashable, Sendable {
        /// Sixteen E2M1 codes, the element with the even index in the low nibble.
        public var codes: SIMD8<UInt8>
        /// The scale of the sixteen elements.
        public var scale: E4M3

        /// A block with the given codes and scale.
        public init(codes: SIMD8<UInt8>, scale: E4M3) {
            self.codes = codes
            self.scale = scale
        }

        /// Quantizes sixteen weights bit for bit as ModelOpt 0.47 (`NVFP4QTensor`) does.
        ///
        /// The scale is `e4m3(clamp(absoluteMaximum / (6 * globalScale), 2^-9, 448))`, or 1 where that quotient is 0; a
        /// code is `e2m1(weight / (scale * globalScale))`, with both kinds of zero coded 0.
        ///
        /// An infinity becomes ±6 under a scale of 448. A NaN makes the whole block NaN: scale NaN, codes 7.
        ///
        /// - Parameter globalScale: finite and above zero.
        @inline(__always)
        public init(weights: SIMD16<Float>, globalScale: Float) {
            let quotient = absoluteMaximum(of: weights) / (6 * globalScale)
            scale = E4M3(quotient == 0 ? 1 : max(quotient, 0x1p-9))
            // Adding zero turns -0, also one that the division underflowed to, into +0.
            codes = E2M1.packed(weights / (Float(scale) * globalScale) + 0)
        }

        /// Quantizes sixteen activations by the IEEE form of the rule of NVIDIA's kernels, bit for bit as vLLM's reference
        /// (`ref_nvfp4_quant`).
        ///
        /// The scale is `e4m3(encodeScale * (absoluteMaximum * (1/6)))`; a code is `e2m1(activation * o)` with
        /// `o = 1 / (scale * (1 / encodeScale))`, at most the largest `Float`, and 0 where the scale underflows to 0. The
        /// code of -0 is 0; other activations keep their sign in a code of zero.
        ///
        /// An infinity becomes ±6 under a scale of 448. A NaN makes the whole block NaN: scale NaN, codes 7.
        ///
        /// - Parameter encodeScale: the reciprocal of the global scale; finite and above zero.
        @inline(__always)
        public init(activations: SIMD16<Float>, encodeScale: Float) {
            scale = E4M3(encodeScale * (absoluteMaximum(of: activations) * (1 / 6)))
            let step = Float(scale) * (1 / encodeScale)
            let reciprocal = step == 0 ? 0 : min(1 / step, .greatestFiniteMagnitude)
            codes = E2M1.packed((activations + 0) * reciprocal)
        }

        /// The sixteen elements times a factor, which is the block scale times the global scale unless said otherwise.
        ///
        /// The factor is rounded once, and each product once.
        @inline(__always)
        public func values(times factor: Float) -> SIMD16<Float> { E2M1.unpacked(codes) * factor }
    }
}

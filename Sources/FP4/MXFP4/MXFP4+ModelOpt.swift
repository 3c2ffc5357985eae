extension MXFP4 {
    /// Whose rule decides scales and codes, where libraries differ.
    public enum Rule: Sendable, CaseIterable {
        /// ``Block/init(weights:)``.
        case compressedTensors
        /// ``Block/init(modelOptWeights:)``.
        case modelOpt
    }

    /// The power of two that scales a block by ModelOpt's rule, named RCEIL in torchao: `ceil(log2(maximum / 6))`.
    ///
    /// So the largest magnitude becomes more than 3 and at most 6. ModelOpt's logarithm is a float32: quotients a few
    /// units above a power of two count as that power. At least 2^-127, also for zero.
    ///
    /// - Parameter absoluteMaximum: not negative. NaN and infinity give NaN.
    public static func modelOptBlockScale(absoluteMaximum: Float) -> E8M0 {
        guard absoluteMaximum.isFinite else { return .nan }
        let quotient = absoluteMaximum / 6
        guard quotient > 0 else { return E8M0(bits: 0) }
        // log2(1 + x) is x / ln 2 for the x that are small enough to be lost in the sum.
        let floor = Float(quotient.exponent)
        let isPower = floor + (quotient.significand - 1) * 1.442695 == floor
        let exponent = Int(quotient.exponent) + (isPower ? 0 : 1)
        return E8M0(bits: UInt8(max(exponent, -127) + 127))
    }
}

extension MXFP4.Block {
    /// Quantizes thirty-two weights bit for bit as ModelOpt 0.47 exports them.
    ///
    /// The scale is ``MXFP4/modelOptBlockScale(absoluteMaximum:)``. A code is the E2M1 number nearest to the weight over
    /// the scale, of two equally near the one closer to zero; both kinds of zero are coded 8. A NaN or infinity makes
    /// the whole block NaN: scale NaN, codes 7.
    @inline(__always)
    public init(modelOptWeights weights: SIMD32<Float>) {
        let low = absoluteMaximum(of: weights.lowHalf)
        let high = absoluteMaximum(of: weights.highHalf)
        let scale = MXFP4.modelOptBlockScale(
            absoluteMaximum: low.bitPattern < high.bitPattern ? high : low)
        guard !scale.isNaN else {
            self.init(codes: SIMD16(repeating: 0x77), scale: scale)
            return
        }
        let scaled = weights / Float(scale)
        let magnitudes = scaled.replacing(with: -scaled, where: scaled .< 0)
        var elements = SIMD32<UInt32>(repeating: 8).replacing(with: 0, where: scaled .> 0)
        for boundary: Float in [0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5] {
            elements.replace(with: elements &+ 1, where: magnitudes .> boundary)
        }
        self.init(codes: SIMD16(truncatingIfNeeded: elements.evenHalf | elements.oddHalf &<< 4), scale: scale)
    }
}

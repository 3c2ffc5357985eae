/// NVIDIA's 4-bit block format: E2M1 elements, an E4M3 scale for each 16 of them, and one FP32 scale for the tensor.
///
/// An element's value is `e2m1 * (blockScale * globalScale)`. The global scale here is always the *multiplier*
/// (ModelOpt's `weight_scale_2` and `input_scale`); compressed-tensors stores its reciprocal, so pass `1 / stored`.
///
/// Blocks run along the contraction dimension. Where that is the last one of a row-major tensor and a multiple of 16, as
/// it must be, the blocks of a tensor and of any number of its rows are simply consecutive: these functions take runs of
/// blocks, and their callers decide how many rows to pass at a time.
///
/// docs/numerics.md states the rules, and where the reference libraries differ.
public enum NVFP4 {
    /// Elements that share a block scale.
    public static var blockSize: Int { 16 }

    /// The largest magnitude at a global scale of one: 6 * 448.
    public static var greatestUnscaledMagnitude: Float { 2688 }

    /// The global scale that lets a tensor's largest magnitude take the largest element with the largest block scale.
    ///
    /// `absoluteMaximum / 2688` (ModelOpt). An all-zero tensor gets 1, where ModelOpt's scale of 0 makes its block scales
    /// NaN, and a maximum whose quotient underflows gets the smallest `Float` above zero.
    ///
    /// - Parameter absoluteMaximum: the tensor's largest magnitude; finite, or the result is not.
    public static func globalScale(absoluteMaximum: Float) -> Float {
        absoluteMaximum == 0 ? 1 : max(absoluteMaximum / greatestUnscaledMagnitude, .leastNonzeroMagnitude)
    }

    /// The encode scale of activations that come without one: the reciprocal of their global scale.
    ///
    /// `2688 / absoluteMaximum`, at most the largest `Float`; 1 for a maximum of 0. Nibble takes the maximum over one
    /// token's row, so that a token's result does not depend on its batch.
    public static func encodeScale(absoluteMaximum: Float) -> Float {
        absoluteMaximum == 0 ? 1 : min(greatestUnscaledMagnitude / absoluteMaximum, .greatestFiniteMagnitude)
    }
}

/// The precision of the activations that enter a quantized linear layer.
public enum ActivationPrecision: String, Sendable, CaseIterable {
    /// The backend's full precision: float32 on the CPU.
    case full
    /// NVFP4 (W4A4): what Blackwell's FP4 tensor cores compute. Applies to NVFP4 weights, with the checkpoint's input
    /// scale, or with one computed for each token where the checkpoint has none.
    case nvfp4
    /// Integers of 8 bits with a scale for each 16. Applies to NVFP4 and MXFP4 weights, on CPUs only.
    case int8
}

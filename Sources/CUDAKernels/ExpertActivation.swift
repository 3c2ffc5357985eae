public import Kernels

/// The function between an expert's two products, of the gate `g` and the up projection `u` (`common/activation.cuh`).
public enum ExpertActivation: Sendable, Hashable {
    /// `silu(g) * u`.
    case swiglu
    /// gpt-oss: `g' = min(g, limit)`, `u' = clamp(u, -limit, limit)`, `(u' + 1) * g' * sigmoid(alpha * g')`.
    case clampedSwiglu(alpha: Float, limit: Float)
    /// `gelu(g) * u`, with the approximation by tanh.
    case geglu

    /// The activation of a model's layer.
    public init(_ activation: GatedActivation) {
        switch activation {
        case .swiglu: self = .swiglu
        case .clampedSwiglu(let alpha, let limit): self = .clampedSwiglu(alpha: alpha, limit: limit)
        }
    }

    /// The device file's name of it.
    var deviceName: String {
        switch self {
        case .swiglu: "SWIGLU"
        case .clampedSwiglu: "CLAMPED_SWIGLU"
        case .geglu: "GEGLU"
        }
    }

    /// `ActivationConstants` of the device file: limit and slope.
    var constants: (limit: Float, slope: Float) {
        if case .clampedSwiglu(let alpha, let limit) = self { (limit, alpha) } else { (0, 0) }
    }
}

public import Kernels

/// The function between an expert's two products, of the gate `g` and the up projection `u` (`common/activation.cuh`).
public enum ExpertActivation: Sendable, Hashable {
    /// `silu(g) * u`.
    case swiglu
    /// gpt-oss: `g' = min(g, limit)`, `u' = clamp(u, -limit, limit)`, `(u' + 1) * g' * sigmoid(alpha * g')`.
    case clampedSwiglu(alpha: Float, limit: Float)
    /// `gelu(g) * u`, with the approximation by tanh.
    case geglu
    /// `max(u, 0)²`, without a gate (Nemotron).
    case reluSquared

    /// Whether experts have a gate projection.
    public var isGated: Bool { self != .reluSquared }

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
        case .reluSquared: "RELU2"
        }
    }

    /// `ActivationConstants` of the device file: limit and slope.
    var constants: (limit: Float, slope: Float) {
        if case .clampedSwiglu(let alpha, let limit) = self { (limit, alpha) } else { (0, 0) }
    }
}

extension ExpertWeights {
    /// The weights of an expert without a gate projection, for ``ExpertActivation/reluSquared``: those of `up` stand in its
    /// place and are not read.
    public init(up: WeightMatrix, down: WeightMatrix, biases: (up: [Float], down: [Float])? = nil) {
        self.init(
            gate: up, up: up, down: down, biases: biases.map { Biases(gate: $0.up, up: $0.up, down: $0.down) })
    }
}

public import FP4

/// What is measured by itself.
public enum KernelOperation: String, Sendable, CaseIterable {
    /// Memory is copied; on GPUs only.
    case copy
    /// Activations `[T, H]` become NVFP4, with block scales in each layout.
    case quantize
    /// The experts of each token are chosen by logits `[T, E]`.
    case route
    /// Activations `[T, H]` times a matrix `[H, H]`; of Scout's shape on GPUs also times others.
    case linear
    /// Tokens pass through the experts that their logits choose.
    case moe
    /// Tokens pass through experts that were chosen before; on GPUs only.
    case experts

    /// Whether it is measured on GPUs only.
    public var needsGPU: Bool { self == .copy || self == .experts }
}

extension ScaleLayout.Tiling {
    /// The layout's name in tables and plots.
    public var name: String {
        switch self {
        case .linear: "linear"
        case .tiles128x4: "128x4"
        case .tiles8x4: "8x4"
        }
    }
}

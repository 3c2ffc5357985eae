import FP4
import ModelFiles

/// Weights that share their global scale, by name.
///
/// Engines multiply the query, key and value projections of a layer in one go, and gate and up as well, with one global
/// scale: vLLM takes the largest one, which is only right if all are equal. ModelOpt and llm-compressor equalize them
/// when they export, and so does this.
struct ScaleGroup: Hashable {
    let name: String

    private static let fusedProjections = [
        ["q_proj", "k_proj", "v_proj"], ["gate_proj", "up_proj"], ["w1", "w3"], ["q_a_proj", "kv_a_proj_with_mqa"],
    ]

    /// The group of a linear module, which is its own if it is not multiplied together with others.
    init(module: String) {
        let parts = module.split(separator: ".", omittingEmptySubsequences: false)
        guard let last = parts.last,
            let fused = Self.fusedProjections.first(where: { $0.contains(String(last)) })
        else {
            name = module
            return
        }
        name = (parts.dropLast().map(String.init) + [fused.joined(separator: "+")]).joined(separator: ".")
    }

    /// A group of exactly this name.
    init(name: String) { self.name = name }
}

/// The global scale of a group, as weights are multiplied by it and as it is stored.
struct GlobalScale {
    /// What readers multiply weights by.
    let multiplier: Float
    /// The value in the file.
    let stored: Float

    /// ModelOpt's rule; compressed-tensors stores the reciprocal.
    ///
    /// A rounded reciprocal has in general another reciprocal than the number that it was made from, so weights are
    /// quantized with what a reader will compute. It differs from ModelOpt's scale in the last bit at most.
    init(absoluteMaximum: Float, layout: QuantizationScheme.Layout) {
        let scale = NVFP4.globalScale(absoluteMaximum: absoluteMaximum)
        switch layout {
        case .modelOpt:
            multiplier = scale
            stored = scale
        case .compressedTensors:
            stored = min(1 / scale, .greatestFiniteMagnitude)
            multiplier = 1 / stored
        }
    }
}

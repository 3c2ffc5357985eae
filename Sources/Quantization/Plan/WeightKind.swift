import ModelFiles

/// A tensor that can be quantized, by its name and shape.
enum WeightKind: Equatable {
    /// `<module>.weight` `[out, in]`.
    case linear(module: String)
    /// `<module>.gate_up_proj` or `<module>.down_proj` of all experts, `[E, in, out]`.
    case experts(module: String, projection: String)

    /// Nil for every other tensor: one of another shape, integers, normalization weights, biases.
    init?(_ tensor: TensorView) {
        guard [.bf16, .f16, .f32].contains(tensor.elementType), tensor.elementCount > 0 else { return nil }
        if tensor.shape.count == 2, tensor.name.hasSuffix(".weight") {
            self = .linear(module: String(tensor.name.dropLast(".weight".count)))
            return
        }
        for projection in [FusedExperts.gateUp, FusedExperts.down] {
            let suffix = "." + projection
            if tensor.shape.count == 3, tensor.name.hasSuffix(".experts" + suffix) {
                self = .experts(module: String(tensor.name.dropLast(suffix.count)), projection: projection)
                return
            }
        }
        return nil
    }

    /// The module, as the lists in configurations name it.
    var module: String {
        switch self {
        case .linear(let module), .experts(let module, _): module
        }
    }

    /// The names by which a pattern may mean this weight.
    var names: [String] {
        switch self {
        case .linear(let module): [module]
        case .experts(let module, let projection): [module, module + "." + projection]
        }
    }

    /// The number of inputs, along which blocks run.
    func inputSize(of tensor: TensorView) -> Int { tensor.shape[1] }
}

public import Kernels

/// What a checkpoint computes, layer by layer, and the names of its weights; made from `config.json` alone.
public struct ModelSpecification: Sendable {
    /// The architecture's name in `config.json`: `Llama4ForCausalLM`.
    public var architecture: String
    /// The number of rows of the embedding and of logits, `V`.
    public var vocabularySize: Int
    /// The width of the residual stream, `H`.
    public var hiddenSize: Int
    /// The longest sequence the model was made for, in tokens.
    public var contextLength: Int
    /// The epsilon of all norms of the residual stream.
    public var normEpsilon: Float
    /// The embedding table `[V, H]`, a module.
    public var embedding: LinearSpecification
    /// The layers, first to last.
    public var layers: [LayerSpecification]
    /// The weight of the norm before the head, a tensor `[H]`.
    public var finalNorm: String
    /// The output head `[V, H]`; equal to `embedding` if the checkpoint ties them.
    public var head: LinearSpecification
}

/// A linear module of a checkpoint: `<name>.weight`, or its packed forms, and perhaps `<name>.bias`.
public struct LinearSpecification: Sendable, Equatable {
    /// The module's name without `.weight`.
    public var name: String
    /// The number of outputs.
    public var outputSize: Int
    /// The number of inputs.
    public var inputSize: Int
    /// Whether the module has a bias.
    public var hasBias: Bool

    init(_ name: String, outputs: Int, inputs: Int, hasBias: Bool = false) {
        self.name = name
        self.outputSize = outputs
        self.inputSize = inputs
        self.hasBias = hasBias
    }
}

/// One layer: `h += attention(norm(h)); h += feedForward(norm(h))`.
public struct LayerSpecification: Sendable {
    /// The weight of the norm before the attention, a tensor `[H]`.
    public var attentionNorm: String
    /// Query, key and value projections.
    public var projections: [LinearSpecification]
    /// The attention; its small weights are named by their tensors.
    public var attention: Attention<String>
    /// The projection of the attention's output.
    public var attentionOutput: LinearSpecification
    /// The weight of the norm before the feed-forward layer, a tensor `[H]`.
    public var feedForwardNorm: String
    /// The feed-forward layer.
    public var feedForward: FeedForwardSpecification
}

/// The feed-forward part of a layer.
public enum FeedForwardSpecification: Sendable {
    /// One gated layer for all tokens.
    case dense(ExpertSpecification)
    /// A router, its experts, and perhaps an expert that every token takes.
    case mixture(
        router: LinearSpecification, routing: Routing, experts: ExpertsSpecification, shared: ExpertSpecification?)
}

/// The modules of a dense feed-forward layer, of a shared expert, or of one expert.
public struct ExpertSpecification: Sendable {
    /// The gate projection `[I, H]`.
    public var gate: LinearSpecification
    /// The up projection `[I, H]`.
    public var up: LinearSpecification
    /// The down projection `[H, I]`.
    public var down: LinearSpecification
    /// The activation between them.
    public var activation: GatedActivation

    init(_ name: String, hiddenSize: Int, intermediateSize: Int, activation: GatedActivation, hasBias: Bool = false) {
        gate = LinearSpecification(
            name + ".gate_proj", outputs: intermediateSize, inputs: hiddenSize, hasBias: hasBias)
        up = LinearSpecification(name + ".up_proj", outputs: intermediateSize, inputs: hiddenSize, hasBias: hasBias)
        down = LinearSpecification(
            name + ".down_proj", outputs: hiddenSize, inputs: intermediateSize, hasBias: hasBias)
        self.activation = activation
    }
}

/// The experts of a layer, stored one module each or fused in 3-D tensors.
public struct ExpertsSpecification: Sendable {
    /// How fused tensors order the outputs of gate and up.
    public enum FusedOrder: Sendable {
        /// All of gate, then all of up (Llama 4).
        case halves
        /// Gate and up in turn (gpt-oss).
        case interleaved
    }

    /// The module's name: `model.layers.0.mlp.experts`.
    public var name: String
    /// The number of experts, `E`.
    public var count: Int
    /// The width of the residual stream, `H`.
    public var hiddenSize: Int
    /// The width between an expert's two products, `I`.
    public var intermediateSize: Int
    /// The activation between them.
    public var activation: GatedActivation
    /// How fused tensors order the outputs of gate and up.
    public var fusedOrder: FusedOrder
    /// Whether the projections have biases.
    public var hasBias: Bool

    /// Expert `index` stored as modules of its own.
    func expert(_ index: Int) -> ExpertSpecification {
        ExpertSpecification(
            "\(name).\(index)", hiddenSize: hiddenSize, intermediateSize: intermediateSize, activation: activation,
            hasBias: hasBias)
    }
}

extension ModelSpecification {
    /// The attention of each layer, its small weights named by their tensors.
    var attentions: [Attention<String>] { layers.map(\.attention) }

    /// The number of experts of the layer that has most, 1 for a dense model.
    var maximumExpertCount: Int {
        layers.reduce(1) { count, layer in
            guard case .mixture(_, _, let experts, _) = layer.feedForward else { return count }
            return max(count, experts.count)
        }
    }
}

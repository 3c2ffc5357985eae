/// The function between a feed-forward layer's two products, of the gate `g` and the up projection `u`.
public enum GatedActivation: Sendable, Equatable {
    /// `silu(g) * u` (SwiGLU, Shazeer 2020).
    case swiglu
    /// gpt-oss: `g' = min(g, limit)`, `u' = clamp(u, -limit, limit)`, `(u' + 1) * g' * sigmoid(alpha * g')`.
    case clampedSwiglu(alpha: Float, limit: Float)
}

/// The weights of one expert, or of a dense feed-forward layer: `down(activation(gate(x), up(x)))`.
public struct ExpertWeights: Sendable {
    /// The gate projection `[I, H]`.
    public let gate: WeightMatrix
    /// The up projection `[I, H]`.
    public let up: WeightMatrix
    /// The down projection `[H, I]`.
    public let down: WeightMatrix
    /// Biases of the gate `[I]`, up `[I]` and down `[H]` projections, all or none.
    public let biases: Biases?

    /// The biases of an expert.
    public struct Biases: Sendable {
        /// Added to the gate projection, `[I]`.
        public let gate: [Float]
        /// Added to the up projection, `[I]`.
        public let up: [Float]
        /// Added to the down projection, `[H]`.
        public let down: [Float]

        /// Groups the biases of one expert.
        public init(gate: [Float], up: [Float], down: [Float]) {
            self.gate = gate
            self.up = up
            self.down = down
        }
    }

    /// Groups the weights of one expert.
    public init(gate: WeightMatrix, up: WeightMatrix, down: WeightMatrix, biases: Biases? = nil) {
        self.gate = gate
        self.up = up
        self.down = down
        self.biases = biases
    }
}

/// How router logits `[T, E]` choose experts and weigh them.
public struct Routing: Sendable, Equatable {
    /// How logits become weights.
    public enum Score: Sendable, Equatable {
        /// Softmax over all experts, then top-k; the k weights are divided by their sum if `renormalized` (Qwen3-MoE).
        case softmax(renormalized: Bool)
        /// Top-k on the logits, then softmax over the k (gpt-oss).
        case softmaxOfSelected
        /// Top-k on the logits, then the sigmoid of each (Llama 4).
        case sigmoid
    }

    /// Where a weight multiplies.
    public enum WeightPlacement: Sendable, Equatable {
        /// The expert's input, before its quantization: `expert(w * x)` (Llama 4).
        case input
        /// The expert's output: `w * expert(x)`.
        case output
    }

    /// The number of experts of a token; ties go to the lower expert index.
    public let topK: Int
    /// How logits become weights.
    public let score: Score
    /// Where a weight multiplies.
    public let weightPlacement: WeightPlacement

    /// Describes a router.
    public init(topK: Int, score: Score, weightPlacement: WeightPlacement) {
        self.topK = topK
        self.score = score
        self.weightPlacement = weightPlacement
    }
}

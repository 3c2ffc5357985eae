public import Kernels

/// What a mixture-of-experts layer computes:
/// `output[t] = residual[t] + Σ weight · down(activation(gate(x[t]), up(x[t])))` over the experts of token `t`.
public struct MoEConfiguration: Sendable, Equatable {
    /// `H`, the size of a token's row; a multiple of the format's block size, at most 65536.
    public var hiddenSize: Int
    /// `I` of one expert; a multiple of the format's block size, at most 65536.
    public var intermediateSize: Int
    /// `E`, the experts that tokens are routed to, at most 512.
    public var expertCount: Int
    /// The experts of a token, at most 16.
    public var topK: Int
    /// How router logits choose experts and weigh them.
    public var routing: Route.Method
    /// Whether router weights multiply the inputs of experts or their outputs.
    public var weightPlacement: Routing.WeightPlacement
    /// What all router weights are multiplied by.
    public var weightFactor: Float = 1
    /// The type of the router logits.
    public var logits: Route.Logits = .bfloat16
    /// The function between an expert's two products.
    public var activation: ExpertActivation
    /// How the experts' weights are stored.
    public var format: WeightFormat
    /// The precision of the activations that enter the products: NVFP4 (W4A4) for NVFP4 weights only.
    ///
    /// Rows are BF16 in memory either way.
    public var activationPrecision = ActivationPrecision.full
    /// Whether the projections have biases.
    public var hasBiases = false
    /// The experts, of the same sizes, that compute every token with weight 1; at most 16.
    ///
    /// A shared expert of `n` times the intermediate size is `n` of these: rows of gate and up, and columns of down, in `n`
    /// parts.
    public var sharedExpertCount = 0
    /// Whether there is a shared expert.
    public var hasSharedExpert: Bool { sharedExpertCount > 0 }
    /// The most tokens of a launch, up to 65280.
    public var maximumTokenCount: Int
    /// Which kernels compute the experts.
    public var backend = MoEBackend.auto

    /// Describes a layer without biases and shared experts, whose logits are BF16; what is out of range is refused where the
    /// configuration is used.
    public init(
        hiddenSize: Int, intermediateSize: Int, expertCount: Int, routing: Routing, activation: ExpertActivation,
        format: WeightFormat, maximumTokenCount: Int
    ) {
        self.hiddenSize = hiddenSize
        self.intermediateSize = intermediateSize
        self.expertCount = expertCount
        topK = routing.topK
        self.routing = Route.Method(routing.score)
        weightPlacement = routing.weightPlacement
        self.activation = activation
        self.format = format
        self.maximumTokenCount = maximumTokenCount
    }

    /// The elements from one row of the input, the residual or the output to the next: `H` up to a multiple of 64.
    ///
    /// What lies beyond `H` has to be zero in the input and the residual, and is zero in the output.
    public var rowPitch: Int { hiddenSize.rounded(upTo: SlabLayout.columnCount) }

    /// The experts whose weights there are: with the shared ones, which come last.
    public var storedExpertCount: Int { expertCount + sharedExpertCount }
    /// The indices of the shared ones.
    var sharedExperts: Range<Int> { expertCount..<storedExpertCount }

    /// The rows of the experts, one for each token and expert, at most.
    var maximumRowCount: Int { maximumTokenCount * topK }

    var shape: ExpertShape {
        ExpertShape(format, hiddenSize: hiddenSize, intermediateSize: intermediateSize, activation: activation)
    }
}

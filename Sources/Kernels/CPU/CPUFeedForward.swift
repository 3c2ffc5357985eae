/// The experts of one layer on the CPU, or a dense feed-forward layer as its only expert.
public final class CPUFeedForward {
    /// One expert's matrices.
    struct Expert {
        let gate: PackedMatrix
        let up: PackedMatrix
        let down: PackedMatrix
        /// Padded to whole blocks.
        let biases: (gate: FloatBuffer, up: FloatBuffer, down: FloatBuffer)?
    }

    /// Where an expert's blocks and biases lie.
    struct Blocks {
        let gate: MatrixBlocks
        let up: MatrixBlocks
        let down: MatrixBlocks

        fileprivate init(_ expert: Expert) {
            gate = MatrixBlocks(expert.gate, bias: expert.biases?.gate)
            up = MatrixBlocks(expert.up, bias: expert.biases?.up)
            down = MatrixBlocks(expert.down, bias: expert.biases?.down)
        }
    }

    /// The number of experts.
    public var expertCount: Int { experts.count }
    /// The width of the layer's input and output.
    public let hiddenSize: Int
    /// The width between the two products.
    public let intermediateSize: Int
    /// The experts.
    let experts: [Expert]
    /// Where their blocks lie.
    let blocks: [Blocks]
    /// The function between the two products.
    let activation: GatedActivation
    /// Whether each expert's gate and up projections take the same input, also where it is quantized.
    let sharesInputs: Bool

    /// The bytes of an expert's weights as they lie in memory, the mean of all.
    public var expertByteCount: Int {
        experts.reduce(0) { $0 + $1.gate.byteCount + $1.up.byteCount + $1.down.byteCount } / max(1, experts.count)
    }

    init(experts: [Expert], hiddenSize: Int, intermediateSize: Int, activation: GatedActivation) {
        self.experts = experts
        blocks = experts.map(Blocks.init)
        self.hiddenSize = hiddenSize
        self.intermediateSize = intermediateSize
        self.activation = activation
        sharesInputs = experts.allSatisfy {
            $0.gate.shape.format == $0.up.shape.format && $0.gate.inputEncodeScale == $0.up.inputEncodeScale
        }
    }
}

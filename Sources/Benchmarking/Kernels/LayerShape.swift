public import Kernels
internal import Models

/// The shape of a mixture-of-experts layer.
public struct LayerShape: Sendable, Equatable {
    /// The format of the experts' weights.
    public enum Format: String, Sendable, CaseIterable {
        /// E2M1 codes with an E4M3 scale for 16.
        case nvfp4
        /// E2M1 codes with an E8M0 scale for 32.
        case mxfp4

        /// Elements that share a block scale.
        public var blockSize: Int { self == .nvfp4 ? 16 : 32 }

        var weights: SyntheticWeights.Format { self == .nvfp4 ? .nvfp4 : .mxfp4 }
    }

    /// The name that the shape goes by.
    public var name: String
    /// `H`, a multiple of the format's block size.
    public var hiddenSize: Int
    /// `I` of one expert, a multiple of the format's block size.
    public var intermediateSize: Int
    /// `E`.
    public var expertCount: Int
    /// How experts are chosen.
    public var routing: Routing
    /// The groups that experts are chosen from by biased sigmoids, where a device has that choice; the benchmark's logits
    /// are such that it chooses the same experts as `routing`.
    var groups = RouterLogits.Groups.one
    /// The function between an expert's products.
    public var activation: GatedActivation = .swiglu
    /// The format of the weights.
    public var format: Format = .nvfp4
    /// Whether the experts' projections have biases.
    public var hasBiases = false

    /// Describes a layer of SwiGLU experts without biases.
    public init(
        name: String, hiddenSize: Int, intermediateSize: Int, expertCount: Int, routing: Routing,
        format: Format = .nvfp4
    ) {
        self.name = name
        self.hiddenSize = hiddenSize
        self.intermediateSize = intermediateSize
        self.expertCount = expertCount
        self.routing = routing
        self.format = format
    }

    /// Llama 4 Scout, without its shared expert.
    public static let scout = LayerShape(
        name: "scout", hiddenSize: 5120, intermediateSize: 8192, expertCount: 16,
        routing: Routing(topK: 1, score: .sigmoid, weightPlacement: .input))

    /// Qwen3-30B-A3B.
    public static let qwen330BA3B = LayerShape(
        name: "qwen3-30b-a3b", hiddenSize: 2048, intermediateSize: 768, expertCount: 128,
        routing: Routing(topK: 8, score: .softmax(renormalized: true), weightPlacement: .output))

    /// gpt-oss-120b.
    public static let gptOSS120B = {
        var shape = LayerShape(
            name: "gpt-oss-120b", hiddenSize: 2880, intermediateSize: 2880, expertCount: 128,
            routing: Routing(topK: 4, score: .softmaxOfSelected, weightPlacement: .output), format: .mxfp4)
        shape.activation = .clampedSwiglu(alpha: 1.702, limit: 7)
        shape.hasBiases = true
        return shape
    }()

    /// DeepSeek-V3, without its shared expert; on a CPU chosen by softmax, without its groups.
    public static let deepSeekV3 = {
        var shape = LayerShape(
            name: "deepseek-v3", hiddenSize: 7168, intermediateSize: 2048, expertCount: 256,
            routing: Routing(topK: 8, score: .softmax(renormalized: true), weightPlacement: .output))
        shape.groups = RouterLogits.Groups(count: 8, chosenCount: 4)
        return shape
    }()

    /// The shapes that have a name.
    public static let named: [LayerShape] = [.scout, .qwen330BA3B, .gptOSS120B, .deepSeekV3]

    /// A matrix of a linear layer.
    struct Linear {
        let rowCount: Int
        let columnCount: Int
        let format: SyntheticWeights.Format

        /// What tables call it: `7168 x 5120 nvfp4`, or `7168 x 5120 w4a4` where activations are rounded too.
        func name(_ activationPrecision: ActivationPrecision) -> String {
            let formatName =
                switch format {
                case .nvfp4: activationPrecision == .nvfp4 ? "w4a4" : "nvfp4"
                case .mxfp4: "mxfp4"
                case .float8: "fp8"
                case .bfloat16: "bf16"
                }
            return "\(rowCount) x \(columnCount) \(formatName)"
        }

        /// The bytes of elements or codes, and block scales.
        var byteCount: Int {
            switch format {
            case .bfloat16: 2 * rowCount * columnCount
            case .float8: rowCount * columnCount
            case .nvfp4: rowCount * (columnCount / 2 + columnCount / 16)
            case .mxfp4: rowCount * (columnCount / 2 + columnCount / 32)
            }
        }
    }

    /// The matrices that a GPU's linear layer is measured with: `[H, H]`, of Scout also that of queries, keys and values
    /// in three formats, and the head.
    var linears: [Linear] {
        let square = Linear(rowCount: hiddenSize, columnCount: hiddenSize, format: format.weights)
        guard self == .scout else { return [square] }
        let formats: [SyntheticWeights.Format] = [.nvfp4, .float8, .bfloat16]
        return [square] + formats.map { Linear(rowCount: 7168, columnCount: hiddenSize, format: $0) }
            + [Linear(rowCount: 202048, columnCount: hiddenSize, format: .bfloat16)]
    }

    /// The bytes of codes and block scales of a matrix.
    func byteCount(rowCount: Int, columnCount: Int) -> Int {
        rowCount * (columnCount / 2 + columnCount / format.blockSize)
    }

    /// The bytes of one expert's codes and block scales.
    public var expertByteCount: Int {
        2 * byteCount(rowCount: intermediateSize, columnCount: hiddenSize)
            + byteCount(rowCount: hiddenSize, columnCount: intermediateSize)
    }

    /// The bytes of the codes and block scales of the matrix `[H, H]`.
    public var linearByteCount: Int { byteCount(rowCount: hiddenSize, columnCount: hiddenSize) }
}

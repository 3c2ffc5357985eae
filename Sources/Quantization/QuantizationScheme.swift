/// Which FP4 format weights get, and under which names they are stored.
///
/// docs/checkpoints.md lists the tensors of each.
public struct QuantizationScheme: Sendable, Equatable {
    /// The format of the weights; activations stay as they are (W4A16).
    public enum Format: String, Sendable, CaseIterable {
        /// E2M1 with an E4M3 scale for 16 weights and an FP32 scale for the tensor.
        case nvfp4
        /// E2M1 with a power of two for 32 weights.
        case mxfp4

        /// How many weights along the contraction dimension share a scale.
        public var blockSize: Int {
            switch self {
            case .nvfp4: 16
            case .mxfp4: 32
            }
        }
    }

    /// Whose names and configuration entries are written.
    public enum Layout: String, Sendable, CaseIterable {
        /// NVIDIA ModelOpt's unified Hugging Face export.
        case modelOpt = "modelopt"
        /// llm-compressor's `nvfp4-pack-quantized` and `mxfp4-pack-quantized`.
        case compressedTensors = "compressed-tensors"
    }

    /// The format of the weights.
    public let format: Format
    /// The names and configuration entries.
    public let layout: Layout

    /// A format in a layout.
    public init(format: Format, layout: Layout) {
        self.format = format
        self.layout = layout
    }

    /// Whether the experts of Llama 4 and gpt-oss stay one tensor a layer; otherwise each becomes modules of its own.
    ///
    /// ModelOpt keeps them fused in MXFP4 too, but with blocks along their outputs, which no engine can multiply.
    var keepsExpertsFused: Bool { layout == .modelOpt && format == .nvfp4 }
}

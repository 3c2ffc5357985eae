import ModelFiles

/// How a family of models stores all experts of a layer in one tensor, `[E, in, out]`.
struct FusedExperts {
    static let gateUp = "gate_up_proj"
    static let down = "down_proj"

    /// Whether gate and up alternate in the outputs of `gate_up_proj`; otherwise the halves follow each other.
    let isInterleaved: Bool

    /// Nil if the order of a model's fused experts is not known.
    ///
    /// Source: `Llama4TextExperts` and `GptOssExperts` of transformers 5.17. Other families store `[E, out, in]` under
    /// the same names.
    init?(config: ConfigObject) throws {
        let text = try config.optionalObject("text_config")
        switch try text?.optionalString("model_type") ?? config.optionalString("model_type") {
        case "llama4", "llama4_text": isInterleaved = false
        case "gpt_oss": isInterleaved = true
        default: return nil
        }
    }

    /// Some of the outputs of a fused tensor that make a module of their own.
    struct Part {
        /// The last part of the module's name.
        let name: String
        let firstOutput: Int
        let outputStride: Int
        let outputCount: Int
    }

    /// The modules in which `outputCount` outputs of a fused tensor end up.
    func parts(of projection: String, outputCount: Int) -> [Part] {
        guard projection == Self.gateUp else {
            return [Part(name: Self.down, firstOutput: 0, outputStride: 1, outputCount: outputCount)]
        }
        let half = outputCount / 2
        return ["gate_proj", "up_proj"].enumerated().map { index, name in
            Part(
                name: name, firstOutput: isInterleaved ? index : index * half, outputStride: isInterleaved ? 2 : 1,
                outputCount: half)
        }
    }
}

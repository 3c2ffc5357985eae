import Kernels
import ModelFiles

/// The dense Llama family (2, 3, and models of the same form).
///
/// Source: `modeling_llama.py` of transformers 5.23.
enum Llama: Architecture {
    static let modelTypes = ["llama"]

    static func specification(_ config: ConfigObject) throws -> ModelSpecification {
        let decoder = try DecoderConfiguration(config, fields: config)
        let rotary = try RotaryEmbedding(config, headSize: decoder.headSize, pairing: .halfSplit)
        let hasAttentionBias = try config.bool("attention_bias", default: false)
        let hasBias = try config.bool("mlp_bias", default: false)
        let intermediateSize = try config.integer("intermediate_size", in: 1...1 << 24)
        let layers = (0..<decoder.layerCount).map { index in
            let name = "model.layers.\(index)"
            return decoder.layer(
                name, attention: decoder.attention(rotary: rotary), hasAttentionBias: hasAttentionBias,
                hasOutputBias: hasAttentionBias,
                feedForward: .dense(
                    ExpertSpecification(
                        name + ".mlp", hiddenSize: decoder.hiddenSize, intermediateSize: intermediateSize,
                        activation: .swiglu, hasBias: hasBias)))
        }
        return decoder.model(layers: layers)
    }
}

import Kernels
import ModelFiles

/// The dense Qwen3 models.
///
/// Source: `modeling_qwen3.py` of transformers 5.23.
enum Qwen3: Architecture {
    static let modelTypes = ["qwen3"]

    static func specification(_ config: ConfigObject) throws -> ModelSpecification {
        let decoder = try DecoderConfiguration(config, fields: config)
        var layers: [LayerSpecification] = []
        for index in 0..<decoder.layerCount {
            let mask = try mask(decoder, index: index)
            layers.append(try layer(decoder, index: index, mask: mask, feedForward: dense(decoder, index: index)))
        }
        return decoder.model(layers: layers)
    }

    /// A layer with Qwen3's attention, which the mixture models share.
    static func layer(
        _ decoder: DecoderConfiguration, index: Int, mask: AttentionMask, feedForward: FeedForwardSpecification
    ) throws -> LayerSpecification {
        let name = "model.layers.\(index)"
        let rotary = try RotaryEmbedding(decoder.fields, headSize: decoder.headSize, pairing: .halfSplit)
        var attention = decoder.attention(rotary: rotary)
        attention.headNorm = .weightedBeforeRotation(
            query: name + ".self_attn.q_norm.weight", key: name + ".self_attn.k_norm.weight",
            epsilon: decoder.normEpsilon)
        attention.mask = mask
        let hasBias = try decoder.fields.bool("attention_bias", default: false)
        return decoder.layer(
            name, attention: attention, hasAttentionBias: hasBias, hasOutputBias: hasBias, feedForward: feedForward)
    }

    static func dense(_ decoder: DecoderConfiguration, index: Int) throws -> FeedForwardSpecification {
        .dense(
            ExpertSpecification(
                "model.layers.\(index).mlp", hiddenSize: decoder.hiddenSize,
                intermediateSize: try decoder.fields.integer("intermediate_size", in: 1...1 << 24),
                activation: .swiglu))
    }

    /// Published models see all keys; a window applies from layer `max_window_layers` on if `use_sliding_window`.
    private static func mask(_ decoder: DecoderConfiguration, index: Int) throws -> AttentionMask {
        guard let window = try window(decoder) else { return .causal }
        if let types = try decoder.layerTypes(["full_attention", "sliding_attention"]) {
            return types[index] == "sliding_attention" ? .slidingWindow(window) : .causal
        }
        let firstLayer = try decoder.fields.integer("max_window_layers", in: 0...4096, default: 28)
        return index >= firstLayer ? .slidingWindow(window) : .causal
    }

    /// The positions that a window has, if a configuration uses one.
    static func window(_ decoder: DecoderConfiguration) throws -> Int? {
        let fields = decoder.fields
        guard try fields.bool("use_sliding_window", default: false), fields.has("sliding_window") else { return nil }
        return try fields.integer("sliding_window", in: 1...1 << 30)
    }
}

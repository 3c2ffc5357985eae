import Kernels
import ModelFiles

/// gpt-oss (20b, 120b).
///
/// Source: `modeling_gpt_oss.py` of transformers 5.23.
enum GPTOSS: Architecture {
    static let modelTypes = ["gpt_oss"]

    static func specification(_ config: ConfigObject) throws -> ModelSpecification {
        let decoder = try DecoderConfiguration(config, fields: config)
        let rotary = try RotaryEmbedding(config, headSize: decoder.headSize, pairing: .halfSplit)
        let window = try config.integer("sliding_window", in: 1...1 << 30, default: 128)
        let types =
            try decoder.layerTypes(["full_attention", "sliding_attention"])
            ?? (0..<decoder.layerCount).map { $0.isMultiple(of: 2) ? "sliding_attention" : "full_attention" }
        let hasBias = try config.bool("attention_bias", default: true)
        var layers: [LayerSpecification] = []
        for index in 0..<decoder.layerCount {
            let name = "model.layers.\(index)"
            var attention = decoder.attention(rotary: rotary)
            attention.mask = types[index] == "sliding_attention" ? .slidingWindow(window) : .causal
            attention.sinks = name + ".self_attn.sinks"
            layers.append(
                decoder.layer(
                    name, attention: attention, hasAttentionBias: hasBias, hasOutputBias: hasBias,
                    feedForward: try mixture(decoder, name: name)))
        }
        return decoder.model(layers: layers)
    }

    private static func mixture(
        _ decoder: DecoderConfiguration, name: String
    ) throws -> FeedForwardSpecification {
        let fields = decoder.fields
        let expertCount = try fields.integer("num_local_experts", in: 1...4096)
        let topKField = fields.has("num_experts_per_tok") ? "num_experts_per_tok" : "experts_per_token"
        let limit = Float(try fields.number("swiglu_limit", in: 0...1e6, default: 7))
        let alpha = Float(try fields.number("swiglu_alpha", in: 0...1e6, default: 1.702))
        return .mixture(
            router: LinearSpecification(
                name + ".mlp.router", outputs: expertCount, inputs: decoder.hiddenSize, hasBias: true),
            routing: Routing(
                topK: try fields.integer(topKField, in: 1...expertCount), score: .softmaxOfSelected,
                weightPlacement: .output),
            experts: ExpertsSpecification(
                name: name + ".mlp.experts", count: expertCount, hiddenSize: decoder.hiddenSize,
                intermediateSize: try fields.integer("intermediate_size", in: 1...1 << 24),
                activation: .clampedSwiglu(alpha: alpha, limit: limit), fusedOrder: .interleaved, hasBias: true),
            shared: nil)
    }
}

import Kernels
import ModelFiles

/// The text model of Llama 4 (Scout, Maverick), alone or inside the multimodal checkpoint.
///
/// Source: `modeling_llama4.py` of transformers 5.23, checked against Meta's llama-models 0.3.0.
enum Llama4: Architecture {
    static let modelTypes = ["llama4", "llama4_text"]

    static func specification(_ config: ConfigObject) throws -> ModelSpecification {
        let isMultimodal = try config.string("model_type") == "llama4"
        let fields = isMultimodal ? try config.object("text_config") : config
        let prefix = isMultimodal ? "language_model." : ""
        let decoder = try DecoderConfiguration(config, fields: fields)
        let usesRotary = try rotaryLayers(decoder)
        let isMixture = try mixtureLayers(decoder)
        let rotary = try RotaryEmbedding(fields, headSize: decoder.headSize, pairing: .interleaved)
        let attention = try attentions(decoder, rotary: rotary)
        let hasBias = try fields.bool("attention_bias", default: false)

        var layers: [LayerSpecification] = []
        for index in 0..<decoder.layerCount {
            let name = "\(prefix)model.layers.\(index)"
            layers.append(
                decoder.layer(
                    name, attention: usesRotary[index] ? attention.local : attention.global,
                    hasAttentionBias: hasBias, hasOutputBias: hasBias,
                    feedForward: isMixture[index] ? try mixture(decoder, name: name) : try dense(decoder, name: name)))
        }
        return decoder.model(prefix: prefix, layers: layers)
    }

    /// Attention of layers with rotary embedding, which is local to a chunk, and without, which is global.
    private static func attentions(
        _ decoder: DecoderConfiguration, rotary: RotaryEmbedding
    ) throws -> (local: Attention<String>, global: Attention<String>) {
        let fields = decoder.fields
        var local = decoder.attention(rotary: rotary)
        local.mask = .chunked(try fields.integer("attention_chunk_size", in: 1...1 << 30, default: 8192))
        if try fields.bool("use_qk_norm", default: true) {
            local.headNorm = .unweightedAfterRotation(epsilon: decoder.normEpsilon)
        }
        var global = decoder.attention(rotary: nil)
        if try tunesTemperature(fields) {
            global.temperature = AttentionTemperature(
                floorScale: Float(try fields.number("floor_scale", in: 1...1e9, default: 8192)),
                scale: Float(try fields.number("attn_scale", in: 0...1e3, default: 0.1)))
        }
        return (local, global)
    }

    /// Older files write the flag as the integer 4.
    private static func tunesTemperature(_ fields: ConfigObject) throws -> Bool {
        if case .integer(let value) = fields["attn_temperature_tuning"] { return value != 0 }
        return try fields.bool("attn_temperature_tuning", default: true)
    }

    /// Whether each layer has rotary embedding: all but every fourth unless `no_rope_layers` says otherwise (1 is with).
    private static func rotaryLayers(_ decoder: DecoderConfiguration) throws -> [Bool] {
        let listed = try decoder.fields.integers("no_rope_layers")
        if listed.isEmpty {
            let interval = try decoder.fields.integer("no_rope_layer_interval", in: 1...4096, default: 4)
            return (1...decoder.layerCount).map { !$0.isMultiple(of: interval) }
        }
        guard listed.count == decoder.layerCount, listed.allSatisfy({ $0 == 0 || $0 == 1 }) else {
            throw decoder.fields.error(
                .mismatched, "no_rope_layers", "expected \(decoder.layerCount) entries of 0 or 1")
        }
        return listed.map { $0 == 1 }
    }

    /// Whether each layer routes to experts, from `moe_layers` or every `interleave_moe_layer_step`-th.
    private static func mixtureLayers(_ decoder: DecoderConfiguration) throws -> [Bool] {
        let count = decoder.layerCount
        if decoder.fields.has("moe_layers") {
            let listed = Set(try decoder.fields.integers("moe_layers"))
            if let outside = listed.first(where: { $0 < 0 || $0 >= count }) {
                throw decoder.fields.error(
                    .mismatched, "moe_layers", "expected layers below \(count), found \(outside)")
            }
            return (0..<count).map { listed.contains($0) }
        }
        let step = try decoder.fields.integer("interleave_moe_layer_step", in: 1...4096, default: 1)
        return (1...count).map { $0.isMultiple(of: step) }
    }

    private static func mixture(
        _ decoder: DecoderConfiguration, name: String
    ) throws -> FeedForwardSpecification {
        let expertCount = try decoder.fields.integer("num_local_experts", in: 1...4096)
        let topK = try decoder.fields.integer("num_experts_per_tok", in: 1...expertCount, default: 1)
        let intermediateSize = try decoder.fields.integer("intermediate_size", in: 1...1 << 24)
        return .mixture(
            router: LinearSpecification(
                name + ".feed_forward.router", outputs: expertCount, inputs: decoder.hiddenSize),
            routing: Routing(topK: topK, score: .sigmoid, weightPlacement: .input),
            experts: ExpertsSpecification(
                name: name + ".feed_forward.experts", count: expertCount, hiddenSize: decoder.hiddenSize,
                intermediateSize: intermediateSize, activation: .swiglu, fusedOrder: .halves, hasBias: false),
            shared: ExpertSpecification(
                name + ".feed_forward.shared_expert", hiddenSize: decoder.hiddenSize,
                intermediateSize: intermediateSize, activation: .swiglu))
    }

    private static func dense(
        _ decoder: DecoderConfiguration, name: String
    ) throws -> FeedForwardSpecification {
        .dense(
            ExpertSpecification(
                name + ".feed_forward", hiddenSize: decoder.hiddenSize,
                intermediateSize: try decoder.fields.integer("intermediate_size_mlp", in: 1...1 << 24),
                activation: .swiglu))
    }
}

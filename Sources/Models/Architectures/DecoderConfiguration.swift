import Kernels
import ModelFiles

/// The fields that all decoder-only architectures share, checked.
struct DecoderConfiguration {
    /// The object that holds the fields: `config.json` itself or its `text_config`.
    let fields: ConfigObject
    let architecture: String
    let hiddenSize: Int
    let layerCount: Int
    let vocabularySize: Int
    let contextLength: Int
    let normEpsilon: Float
    let queryHeadCount: Int
    let keyValueHeadCount: Int
    let headSize: Int
    let tiesEmbeddings: Bool

    /// - Parameters:
    ///   - config: `config.json`.
    ///   - fields: the object that describes the language model.
    init(_ config: ConfigObject, fields: ConfigObject) throws {
        self.fields = fields
        architecture = try config.strings("architectures").first ?? config.string("model_type")
        hiddenSize = try fields.integer("hidden_size", in: 1...1 << 20)
        layerCount = try fields.integer("num_hidden_layers", in: 1...4096)
        vocabularySize = try fields.integer("vocab_size", in: 1...1 << 24)
        contextLength = max(
            try fields.integer("max_position_embeddings", in: 1...1 << 30, default: 2048),
            try RotaryEmbedding.stretchedLength(fields) ?? 0)
        normEpsilon = Float(try fields.number("rms_norm_eps", in: 0...1, default: 1e-6))
        queryHeadCount = try fields.integer("num_attention_heads", in: 1...4096)
        keyValueHeadCount = try fields.integer("num_key_value_heads", in: 1...4096, default: queryHeadCount)
        headSize = try fields.integer("head_dim", in: 1...4096, default: hiddenSize / queryHeadCount)
        tiesEmbeddings = try fields.bool(
            "tie_word_embeddings", default: config.bool("tie_word_embeddings", default: false))
        guard queryHeadCount.isMultiple(of: keyValueHeadCount) else {
            throw fields.error(
                .mismatched, "num_key_value_heads",
                "\(keyValueHeadCount) does not divide num_attention_heads \(queryHeadCount)")
        }
        guard headSize > 0, headSize.isMultiple(of: 2) else {
            throw fields.error(.unsupported, "head_dim", "expected an even size, found \(headSize)")
        }
        let activation = try fields.string("hidden_act", default: "silu")
        guard activation == "silu" else {
            throw fields.error(.unsupported, "hidden_act", "expected 'silu', found \(activation.quotedForMessage)")
        }
    }

    /// An attention of these heads with all keys visible, without norms; each architecture changes what differs.
    func attention(rotary: RotaryEmbedding?) -> Attention<String> {
        Attention(
            queryHeadCount: queryHeadCount, keyValueHeadCount: keyValueHeadCount, headSize: headSize,
            scale: 1 / Float(headSize).squareRoot(), rotary: rotary, headNorm: .none, mask: .causal,
            temperature: nil, sinks: nil)
    }

    /// A layer with the names that all these architectures share but for the feed-forward part.
    func layer(
        _ name: String, attention: Attention<String>, hasAttentionBias: Bool, hasOutputBias: Bool,
        feedForward: FeedForwardSpecification
    ) -> LayerSpecification {
        func projection(_ projection: String, headCount: Int) -> LinearSpecification {
            LinearSpecification(
                "\(name).self_attn.\(projection)", outputs: headCount * headSize, inputs: hiddenSize,
                hasBias: hasAttentionBias)
        }
        return LayerSpecification(
            attentionNorm: name + ".input_layernorm.weight",
            projections: [
                projection("q_proj", headCount: queryHeadCount), projection("k_proj", headCount: keyValueHeadCount),
                projection("v_proj", headCount: keyValueHeadCount),
            ],
            attention: attention,
            attentionOutput: LinearSpecification(
                name + ".self_attn.o_proj", outputs: hiddenSize, inputs: queryHeadCount * headSize,
                hasBias: hasOutputBias),
            feedForwardNorm: name + ".post_attention_layernorm.weight", feedForward: feedForward)
    }

    /// The whole model around its layers; `prefix` precedes `model.` and `lm_head`.
    func model(prefix: String = "", layers: [LayerSpecification]) -> ModelSpecification {
        let embedding = LinearSpecification(
            prefix + "model.embed_tokens", outputs: vocabularySize, inputs: hiddenSize)
        let head = LinearSpecification(prefix + "lm_head", outputs: vocabularySize, inputs: hiddenSize)
        return ModelSpecification(
            architecture: architecture, vocabularySize: vocabularySize, hiddenSize: hiddenSize,
            contextLength: contextLength, normEpsilon: normEpsilon, embedding: embedding, layers: layers,
            finalNorm: prefix + "model.norm.weight", head: tiesEmbeddings ? embedding : head)
    }

    /// The kind of each layer from `layer_types`, or nil if the field is absent.
    func layerTypes(_ known: Set<String>) throws -> [String]? {
        guard fields.has("layer_types") else { return nil }
        let types = try fields.strings("layer_types")
        guard types.count == layerCount else {
            throw fields.error(.mismatched, "layer_types", "expected \(layerCount) entries, found \(types.count)")
        }
        if let unknown = types.first(where: { !known.contains($0) }) {
            throw fields.error(
                .unsupported, "layer_types",
                "found \(unknown.quotedForMessage), expected \(known.sorted().joined(separator: " or "))")
        }
        return types
    }
}

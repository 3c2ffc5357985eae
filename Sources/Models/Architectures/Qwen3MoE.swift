import Kernels
import ModelFiles

/// The Qwen3 mixture-of-experts models (30B-A3B, 235B-A22B, Coder).
///
/// Source: `modeling_qwen3_moe.py` of transformers 5.23.
enum Qwen3MoE: Architecture {
    static let modelTypes = ["qwen3_moe"]

    static func specification(_ config: ConfigObject) throws -> ModelSpecification {
        let decoder = try DecoderConfiguration(config, fields: config)
        let denseLayers = Set(try config.integers("mlp_only_layers"))
        let step = try config.integer("decoder_sparse_step", in: 1...4096, default: 1)
        // The same in all layers, unlike the dense models'.
        let mask = try Qwen3.window(decoder).map { AttentionMask.slidingWindow($0) } ?? .causal
        var layers: [LayerSpecification] = []
        for index in 0..<decoder.layerCount {
            let isMixture = (index + 1).isMultiple(of: step) && !denseLayers.contains(index)
            let feedForward =
                isMixture ? try mixture(decoder, index: index) : try Qwen3.dense(decoder, index: index)
            layers.append(try Qwen3.layer(decoder, index: index, mask: mask, feedForward: feedForward))
        }
        return decoder.model(layers: layers)
    }

    private static func mixture(
        _ decoder: DecoderConfiguration, index: Int
    ) throws -> FeedForwardSpecification {
        let fields = decoder.fields
        let countField = fields.has("num_experts") ? "num_experts" : "num_local_experts"
        let expertCount = try fields.integer(countField, in: 1...4096)
        let name = "model.layers.\(index).mlp"
        return .mixture(
            router: LinearSpecification(name + ".gate", outputs: expertCount, inputs: decoder.hiddenSize),
            routing: Routing(
                topK: try fields.integer("num_experts_per_tok", in: 1...expertCount),
                score: .softmax(renormalized: try fields.bool("norm_topk_prob", default: false)),
                weightPlacement: .output),
            experts: ExpertsSpecification(
                name: name + ".experts", count: expertCount, hiddenSize: decoder.hiddenSize,
                intermediateSize: try fields.integer("moe_intermediate_size", in: 1...1 << 24),
                activation: .swiglu, fusedOrder: .halves, hasBias: false),
            shared: nil)
    }
}

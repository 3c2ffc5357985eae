import Testing

@testable import Quantization

/// The expected lists were computed by ModelOpt 0.47's `_prefix_wildcard_summarize_exclude_modules`.
@Suite struct ExclusionSummaryTests {
    private func patterns(_ kept: [String], beside quantized: [String]) -> [String] {
        ExclusionSummary(keptModules: kept, quantizedModules: quantized).patterns
    }

    @Test("names a container that holds nothing quantized")
    func container() {
        let kept = ["vision_model.a.b", "vision_model.c", "m.layers.0.self_attn.q", "m.layers.0.self_attn.k"]
        #expect(
            patterns(kept, beside: ["m.layers.0.mlp.up"]) == ["m.layers.0.self_attn*", "vision_model*"])
    }

    @Test("adds a dot where the container's name begins another one's")
    func prefix() {
        #expect(patterns(["m.layers.1.q", "m.layers.1.k"], beside: ["m.layers.10.q"]) == ["m.layers.1.*"])
    }

    @Test("names a module beside quantized ones exactly")
    func exact() {
        #expect(
            patterns(["lm_head", "m.layers.0.mlp.gate"], beside: ["m.layers.0.mlp.up", "m.layers.0.mlp.gate_proj"])
                == ["lm_head", "m.layers.0.mlp.gate"])
    }
}

import ModelFiles
import Quantization
import TestSupport
import Testing

@Suite struct ModuleSelectionTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test("tells which of the globs match no module")
    func unmatchedExclusions() throws {
        let globs = ["*q_proj", "*v_porj", "a.?_proj", ""]
        let summary = try summary(["a.q_proj.weight": [16, 16], "b.weight": [16, 16]], excluding: globs)
        #expect(summary.unmatchedExclusions == ["*v_porj", ""])
        #expect(summary.quantizedModules == ["b"])
    }

    private func summary(_ shapes: [String: [Int]], excluding globs: [String] = []) throws -> QuantizationSummary {
        let source = try folder.makeModel(
            tensors: shapes.sorted { $0.key < $1.key }.map { .init($0.key, shape: $0.value) })
        let scheme = QuantizationScheme(format: .nvfp4, layout: .modelOpt)
        return try CheckpointQuantizer(source: source, scheme: scheme, excluding: globs).summary
    }

    @Test(
        "keeps heads, embeddings, routers and vision",
        arguments: [
            "lm_head", "language_model.lm_head", "model.embed_tokens", "model.layers.0.mlp.gate",
            "model.layers.0.feed_forward.router", "model.layers.0.mlp.shared_expert_gate",
            "vision_model.model.layers.0.self_attn.q_proj", "vision_model.patch_embedding.linear",
            "model.visual.blocks.0.attn.qkv", "multi_modal_projector.linear_1", "mtp.layers.0.mlp.up_proj",
        ])
    func keeps(module: String) throws {
        let summary = try summary(["a.q_proj.weight": [16, 16], module + ".weight": [16, 16]])
        #expect(summary.quantizedModules == ["a.q_proj"])
        #expect(summary.keptModules.contains(module))
    }

    @Test(
        "quantizes attention, dense and shared layers and experts",
        arguments: [
            "model.layers.0.self_attn.o_proj", "model.layers.0.mlp.gate_proj",
            "model.layers.0.feed_forward.shared_expert.down_proj", "model.layers.0.mlp.experts.7.up_proj",
        ])
    func quantizes(module: String) throws {
        #expect(try summary([module + ".weight": [16, 16]]).quantizedModules == [module])
    }

    @Test("passes over what is not a matrix or not called weight")
    func passesOver() throws {
        let summary = try summary([
            "a.q_proj.weight": [16, 16], "a.norm.weight": [16], "a.q_proj.bias": [16], "a.conv.weight": [16, 4, 16],
            "a.positional": [16, 16],
        ])
        #expect(summary.quantizedModules == ["a.q_proj"])
        #expect(summary.keptModules.isEmpty)
    }

    @Test("keeps what a pattern of the user matches", arguments: ["*mlp*", "a.mlp.up_pro?", "a.mlp.up_proj"])
    func userPatterns(glob: String) throws {
        let shapes = ["a.self_attn.q_proj.weight": [16, 16], "a.mlp.up_proj.weight": [16, 16]]
        #expect(try summary(shapes, excluding: [glob]).keptModules == ["a.mlp.up_proj"])
    }

    @Test("keeps a module whose inputs do not fill blocks, and says so")
    func unaligned() throws {
        let summary = try summary(["a.q_proj.weight": [16, 32], "b.proj.weight": [16, 24]])
        #expect(summary.quantizedModules == ["a.q_proj"])
        #expect(summary.keptModules == ["b.proj"])
        #expect(summary.unalignedModules.map(\.name) == ["b.proj"])
        #expect(summary.unalignedModules.map(\.inputSize) == [24])
    }

    @Test("refuses a model in which nothing is left to quantize")
    func nothingLeft() throws {
        #expect(throws: ModelFileError.self) { try summary(["a.q_proj.weight": [16, 32]], excluding: ["*"]) }
    }

    @Test("lists a head that shares the embedding's weight")
    func tiedHead() throws {
        let shapes = ["model.embed_tokens.weight": [16, 16], "model.layers.0.self_attn.q_proj.weight": [16, 16]]
        #expect(try summary(shapes).keptModules == ["lm_head", "model.embed_tokens"])
    }
}

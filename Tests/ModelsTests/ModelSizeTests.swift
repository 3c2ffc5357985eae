import ModelFiles
import Models
import TestSupport
import Testing

@Suite struct ModelSizeTests {
    @Test("counts the elements of all matrices", arguments: ["llama_dense-bf16", "llama4_maverick-bf16"])
    func elements(name: String) throws {
        let checkpoint = try Checkpoint(path: Golden.path("models/" + name))
        let matrices = checkpoint.tensors.filter { $0.shape.count > 1 }
        #expect(
            try ModelSpecification(config: checkpoint.config).matrixElementCount
                == matrices.reduce(0) { $0 + $1.elementCount })
    }

    @Test("sizes that no machine has do not overflow")
    func huge() throws {
        let text = """
            {"model_type": "qwen3_moe", "hidden_size": 1048576, "num_hidden_layers": 4096, "num_attention_heads": 4096,
             "head_dim": 4096, "num_experts": 4096, "num_experts_per_tok": 1, "moe_intermediate_size": 16777216,
             "vocab_size": 16777216}
            """
        let config = try ConfigObject(JSON(parsing: text), file: "config.json")
        #expect(try ModelSpecification(config: config).matrixElementCount == .max)
    }
}

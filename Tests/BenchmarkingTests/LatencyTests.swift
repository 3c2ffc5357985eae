import Kernels
import ModelFiles
import Models
import Testing

@testable import Benchmarking

@Suite struct LatencyTests {
    @Test("a stretch's share is of the mean bandwidth around it, with the mean bytes of its positions")
    func share() {
        let stretch = DecodeStretch(
            positions: 3..<6, stepSeconds: [9, 2, 1], bandwidthBefore: 100, bandwidthAfter: 200)
        // The steps read 4, 5 and 6 positions.
        #expect(stretch.shareOfBandwidth { 100 + 10 * ($0 + 1) } == 150.0 / 2 / 150)
    }

    @Test("a token reads the keys and values that masks show it, and no others")
    func visibleCache() throws {
        var sliding = try ModelSpecification(config: Self.config())
        sliding.layers[0].attention.mask = .slidingWindow(8)
        let backend = try CPUBackend(threadCount: 1)
        let weights = try ModelLoader(
            synthetic: SyntheticWeights(quantization: QuantizationConfig(config: Self.config())), backend: backend
        ).load(sliding)
        let volume = ReadVolume(sliding, weights: weights)
        // Two key and two value heads of 16 float32 numbers.
        let byteCount = 4 * 16 * 4
        #expect(volume.cachePerPosition == 2 * byteCount)
        #expect([0, 7, 8, 30].map(volume.cache) == [2, 16, 8 + 9, 8 + 31].map { $0 * byteCount })
    }

    @Test("bandwidth is measured before, between and after stretches of all steps", arguments: [1, 2])
    func stretches(batchSize: Int) throws {
        let specification = try ModelSpecification(config: Self.config())
        let backend = try CPUBackend(threadCount: 1)
        let weights = try ModelLoader(
            synthetic: SyntheticWeights(quantization: QuantizationConfig(config: Self.config())), backend: backend
        ).load(specification)
        let transformer = try Transformer(
            specification: specification, weights: weights, backend: backend, maximumRowCount: 8)
        let benchmark = LatencyBenchmark(
            inputLength: 7, outputLength: 36, batchSize: batchSize, iterationCount: 2)
        var callCount = 0
        let result = try benchmark.run(
            transformer,
            readBandwidth: {
                callCount += 1
                return Double(callCount)
            })
        // The warm-up has bandwidths 1 to 4.
        #expect(callCount == 3 * 4)
        #expect(result.stretches.map(\.positions) == [7..<23, 23..<39, 39..<42, 7..<23, 23..<39, 39..<42])
        #expect(result.stretches.map(\.bandwidthBefore) == [5, 6, 7, 9, 10, 11])
        #expect(result.stretches.map(\.bandwidthAfter) == [6, 7, 8, 10, 11, 12])
        #expect(result.stretches.allSatisfy { $0.stepSeconds.count == $0.positions.count })
        #expect(result.prefillSeconds.count == 2)

        let report = LatencyReport(
            benchmark: benchmark, result: result, volume: ReadVolume(specification, weights: weights),
            peakResidentByteCount: nil)
        #expect(report.json["read_bandwidth_gb_per_s"] == .number(8.5e-9))
        #expect((report.json["share_of_bandwidth"] == .null) == (batchSize > 1))
        #expect(report.text.contains("Share of the bandwidth") == (batchSize == 1))
    }

    @Test("all matrices of a model are read through, and nothing else")
    func memory() throws {
        let specification = try ModelSpecification(config: Self.config())
        let backend = try CPUBackend(threadCount: 2)
        let weights = try ModelLoader(
            synthetic: SyntheticWeights(quantization: QuantizationConfig(config: Self.config())), backend: backend
        ).load(specification)
        let volume = ReadVolume(specification, weights: weights)
        // A token reads both experts, and a row in place of the embedding table, as large as the head.
        let matrixByteCount = volume.attention + volume.experts + 2 * volume.head
        #expect(weights.memory.byteCount >= matrixByteCount - 1024)
        #expect(weights.memory.byteCount < matrixByteCount * 3 / 2)
        #expect(ReadBandwidth.measure(backend, weights: weights.memory) > 0)
    }

    /// A small model, with further fields that each end with a comma.
    private static func config() throws -> ConfigObject {
        let text = """
            {"architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "hidden_size": 64,
             "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
             "num_experts": 2, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "norm_topk_prob": true,
             "decoder_sparse_step": 1, "mlp_only_layers": [], "vocab_size": 96, "max_position_embeddings": 64,
             "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": false,
             "quantization_config": {"quant_method": "modelopt", "quant_algo": "NVFP4", "ignore": ["lm_head"]}}
            """
        return try ConfigObject(JSON(parsing: text), file: "config.json")
    }
}

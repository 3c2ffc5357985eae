import ModelFiles
import TestSupport
import Testing

@Suite struct QuantizationConfigTests {
    static let ctWeights = #"{"num_bits":4,"type":"float","strategy":"tensor_group","group_size":16,"symmetric":true}"#

    /// A compressed-tensors configuration with one group.
    static func compressed(
        format: String = "nvfp4-pack-quantized", weights: String = ctWeights, activations: String = "null",
        rest: String = ""
    ) -> String {
        #"{"quant_method":"compressed-tensors","format":"\#(format)","config_groups":{"group_0":{"targets":["Linear"],"#
            + #""weights":\#(weights),"input_activations":\#(activations)}}\#(rest)}"#
    }

    private func read(config: String?, own: String? = nil) throws -> QuantizationConfig {
        let folder = try TemporaryFolder()
        try folder.write(config.map { "{\"quantization_config\":\($0)}" } ?? "{}", to: "config.json")
        if let own { try folder.write(own, to: "hf_quant_config.json") }
        return try QuantizationConfig(folder: ModelFolder(path: folder.path))
    }

    struct Expected: Sendable {
        let method: QuantizationConfig.Method
        var algorithm: QuantizationConfig.Algorithm?
        var quantizesActivations = false
        var kvCache: QuantizationConfig.KVCacheAlgorithm?
        var excluded = 0
        var producer: String?
    }

    static let golden: [(folder: String, expected: Expected)] = [
        ("gpt_oss-ct-nvfp4-mlp", ct(excluded: 21)),
        ("gpt_oss-modelopt-nvfp4-experts-only", modelOpt(excluded: 10)),
        ("gpt_oss-mxfp4", Expected(method: .mxfp4, algorithm: .mxfp4, excluded: 4)),
        ("llama4_maverick-bf16", Expected(method: .none)),
        ("llama4_maverick-modelopt-nvfp4-default", modelOpt(excluded: 4)),
        ("llama4_scout-ct-nvfp4-mlp", ct(excluded: 31)),
        ("llama4_scout-modelopt-nvfp4-default-kvfp8", modelOpt(kvCache: .fp8, excluded: 8)),
        ("llama_dense-bf16", Expected(method: .none)),
        ("llama_dense-ct-nvfp4a16", ct(.nvfp4WeightOnly, excluded: 1)),
        (
            "llama_dense-modelopt-mxfp4-default",
            Expected(method: .modelOpt, algorithm: .mxfp4, excluded: 2, producer: "modelopt 0.47.0")
        ),
        ("llama_dense-modelopt-nvfp4-default-kvfp8", modelOpt(kvCache: .fp8, excluded: 2)),
        ("qwen3_dense-bf16", Expected(method: .none)), ("qwen3_dense-ct-nvfp4", ct(excluded: 1)),
        ("qwen3_moe-ct-nvfp4", ct(excluded: 4)),
        ("qwen3_moe-modelopt-nvfp4-default-kvfp8", modelOpt(kvCache: .fp8, excluded: 5)),
    ]

    private static func ct(_ algorithm: QuantizationConfig.Algorithm = .nvfp4, excluded: Int) -> Expected {
        Expected(
            method: .compressedTensors, algorithm: algorithm, quantizesActivations: algorithm == .nvfp4,
            excluded: excluded, producer: "compressed-tensors 0.19.0")
    }

    private static func modelOpt(kvCache: QuantizationConfig.KVCacheAlgorithm? = nil, excluded: Int) -> Expected {
        Expected(
            method: .modelOpt, algorithm: .nvfp4, quantizesActivations: true, kvCache: kvCache, excluded: excluded,
            producer: "modelopt 0.47.0")
    }

    @Test("recognises the golden checkpoints", arguments: golden)
    func recognisesGolden(folder: String, expected: Expected) throws {
        let checkpoint = try Checkpoint(path: Golden.path("models/\(folder)"))
        let config = try QuantizationConfig(folder: checkpoint.folder)
        #expect(config.method == expected.method)
        #expect(config.algorithm == expected.algorithm)
        #expect(config.quantizesActivations == expected.quantizesActivations)
        #expect(config.kvCacheAlgorithm == expected.kvCache)
        #expect(config.excludedModules.count == expected.excluded)
        #expect(config.producer == expected.producer)
        #expect(config.groupSize == (expected.method == .none ? nil : expected.algorithm == .mxfp4 ? 32 : 16))
        #expect(config.notes.isEmpty)
        // The lists agree with the tensors: an excluded module has no packed weight.
        for suffix in [".weight", ".weight_packed"] {
            for tensor in checkpoint.tensors where tensor.elementType == .u8 && tensor.name.hasSuffix(suffix) {
                #expect(!config.excludes(String(tensor.name.dropLast(suffix.count))), "\(tensor.name)")
            }
        }
    }

    @Test("knows which modules are excluded")
    func excludes() throws {
        let scout = try ModelFolder(path: Golden.path("models/llama4_scout-modelopt-nvfp4-default-kvfp8"))
        let config = try QuantizationConfig(folder: scout)
        #expect(config.excludes("vision_model.model.layers.0.mlp.fc1"))
        #expect(config.excludes("language_model.lm_head"))
        #expect(!config.excludes("language_model.model.layers.0.self_attn.q_proj"))
        let gptOSS = try QuantizationConfig(folder: ModelFolder(path: Golden.path("models/gpt_oss-mxfp4")))
        #expect(gptOSS.excludes("model.layers.3.self_attn.q_proj"))
        #expect(!gptOSS.excludes("model.layers.3.mlp.experts"))
    }

    @Test("follows hf_quant_config.json and notes what config.json says otherwise")
    func notesDifferences() throws {
        let config = try read(
            config: #"{"quant_method":"modelopt","quant_algo":"W4A16_NVFP4","ignore":["lm_head"]}"#,
            own: #"{"quantization":{"quant_algo":"NVFP4","kv_cache_quant_algo":"FP8","exclude_modules":["a","b"]}}"#)
        #expect(config.algorithm == .nvfp4)
        #expect(config.kvCacheAlgorithm == .fp8)
        #expect(config.excludedModules.map(\.text) == ["a", "b"])
        #expect(config.notes.count == 3)
        #expect(config.notes.contains { $0.contains("KV cache format is FP8 in hf_quant_config.json") })
        #expect(config.notes.contains { $0.contains("2 are only in hf_quant_config.json") })
    }

    static let accepted: [(config: String, algorithm: QuantizationConfig.Algorithm?, quantizesActivations: Bool)] = [
        (#"{"quant_method":"modelopt","quant_algo":"NVFP4"}"#, .nvfp4, true),
        (#"{"quant_method":"modelopt_fp4","quant_algo":"W4A16_NVFP4","group_size":16}"#, .nvfp4WeightOnly, false),
        (#"{"quantization":{"quant_algo":"NVFP4","group_size":16},"producer":{"name":"modelopt"}}"#, .nvfp4, true),
        (#"{"quant_method":"modelopt","quant_algo":null,"kv_cache_quant_algo":"FP8"}"#, nil, false),
        (
            #"{"quant_method":"modelopt","quant_algo":"MIXED_PRECISION","quantized_layers":{"a":{"quant_algo":"W4A16_NVFP4"},"b":{"quant_algo":"NVFP4","group_size":16}}}"#,
            .mixed, true
        ),
        (compressed(), .nvfp4WeightOnly, false), (compressed(activations: ctWeights), .nvfp4, true),
        (compressed(rest: #","sparsity_config":{"format":"dense"},"transform_config":{}"#), .nvfp4WeightOnly, false),
        (
            compressed(format: "mxfp4-pack-quantized", weights: #"{"num_bits":4,"type":"float","group_size":32}"#),
            .mxfp4,
            false
        ),
        (#"{"quant_method":"mxfp4"}"#, .mxfp4, false), ("{}", nil, false),
    ]

    @Test("accepts every supported way of writing it", arguments: accepted)
    func accepts(
        config: String, algorithm: QuantizationConfig.Algorithm?, quantizesActivations: Bool
    ) throws {
        let config = try read(config: config)
        #expect(config.algorithm == algorithm)
        #expect(config.quantizesActivations == quantizesActivations)
    }

    @Test(
        "has the block size that all layers of a mixed model share",
        arguments: zip(
            [["NVFP4", "W4A16_NVFP4"], ["mxfp4", "mxfp4"], ["NVFP4", "mxfp4"], []], [16, 32, nil, 16] as [Int?]))
    func mixedBlockSize(algorithms: [String], expected: Int?) throws {
        let layers = algorithms.enumerated().map { #""layer\#($0)":{"quant_algo":"\#($1)"}"# }.joined(separator: ",")
        let config = try read(
            config: #"{"quant_method":"modelopt","quant_algo":"MIXED_PRECISION","quantized_layers":{\#(layers)}}"#)
        #expect(config.algorithm == .mixed)
        #expect(config.groupSize == expected)
    }

    @Test("finds it in text_config and under its older name")
    func otherPlaces() throws {
        let folder = try TemporaryFolder()
        try folder.write(#"{"text_config":{"quantization_config":{"quant_method":"mxfp4"}}}"#, to: "config.json")
        #expect(try QuantizationConfig(folder: ModelFolder(path: folder.path)).method == .mxfp4)
        try folder.write("{\"compression_config\":\(Self.compressed())}", to: "config.json")
        #expect(try QuantizationConfig(folder: ModelFolder(path: folder.path)).method == .compressedTensors)
    }

    static let refused: [(config: String, code: ModelFileError.Code, message: String)] = [
        (#"{"quant_method":"awq","bits":4}"#, .unsupported, "quant_method: 'awq' is not supported"),
        (#"{"quant_method":"gptq"}"#, .unsupported, "'gptq'"), (#"{"quant_method":"fp8"}"#, .unsupported, "'fp8'"),
        (#"{"quant_method":"bitsandbytes"}"#, .unsupported, "'bitsandbytes'"),
        (#"{"bits":4}"#, .missing, "quant_method: missing"), (#"{"quant_method":4}"#, .mismatched, "expected a string"),
        (#"[]"#, .mismatched, "expected an object, found an array"),
        (#"{"quant_method":"modelopt","quant_algo":"FP8"}"#, .unsupported, "quant_algo: 'FP8'"),
        (#"{"quant_method":"modelopt","quant_algo":"NVFP4_AWQ"}"#, .unsupported, "'NVFP4_AWQ'"),
        (#"{"quant_method":"modelopt","quant_algo":"NVFP4_SVD"}"#, .unsupported, "'NVFP4_SVD'"),
        (#"{"quant_method":"modelopt","quant_algo":"W4A16_AWQ"}"#, .unsupported, "'W4A16_AWQ'"),
        (#"{"quant_method":"modelopt","quant_algo":"MXFP8"}"#, .unsupported, "'MXFP8'"),
        (#"{"quant_method":"modelopt","quant_algo":"nvfp4"}"#, .unsupported, "'nvfp4'"),
        (#"{"quant_method":"modelopt","quant_algo":["NVFP4"]}"#, .mismatched, "expected a string, found an array"),
        (#"{"quant_method":"modelopt","quant_algo":"NVFP4","group_size":32}"#, .unsupported, "group_size: '32'"),
        (#"{"quant_method":"modelopt","quant_algo":"NVFP4","pre_quant_scale":true}"#, .unsupported, "pre_quant_scale"),
        (#"{"quant_method":"modelopt","quant_algo":"NVFP4","kv_cache_quant_algo":"NVFP4"}"#, .unsupported, "kv_cache"),
        (
            #"{"quant_method":"modelopt","quant_algo":"NVFP4","kv_cache_scheme":{"num_bits":4,"type":"float"}}"#,
            .unsupported, "'4-bit float'"
        ),
        (#"{"quant_method":"modelopt","quant_algo":"NVFP4","ignore":"lm_head"}"#, .mismatched, "array of strings"),
        (#"{"quant_method":"modelopt","quant_algo":"NVFP4","ignore":[1]}"#, .mismatched, "ignore[0]"),
        (
            #"{"quant_method":"modelopt","quant_algo":"NVFP4","config_groups":{"g":{"weights":{"group_size":8}}}}"#,
            .unsupported, "config_groups.g.weights.group_size: '8'"
        ),
        (
            #"{"quant_method":"modelopt","quant_algo":"MIXED_PRECISION","quantized_layers":{"a.b":{"quant_algo":"FP8"}}}"#,
            .unsupported, "quantized_layers.a.b.quant_algo: 'FP8'"
        ),
        (
            #"{"quant_method":"modelopt","quant_algo":"MIXED_PRECISION","quantized_layers":{"a":{}}}"#, .missing,
            "quantized_layers.a.quant_algo"
        ),
        (#"{"quant_method":"compressed-tensors"}"#, .missing, "config_groups"),
        (compressed(format: "pack-quantized"), .unsupported, "format: 'pack-quantized'"),
        (compressed(format: "float-quantized"), .unsupported, "'float-quantized'"),
        (compressed(weights: "null"), .missing, "weights: missing"),
        (compressed(weights: #"{"num_bits":8,"type":"float"}"#), .unsupported, "weights.num_bits: '8'"),
        (compressed(weights: #"{"num_bits":4}"#), .unsupported, "weights.type: 'int'"),
        (compressed(weights: #"{"num_bits":4,"type":"float","group_size":32}"#), .unsupported, "group_size: '32'"),
        (compressed(weights: #"{"num_bits":4,"type":"float","symmetric":false}"#), .unsupported, "symmetric"),
        (compressed(weights: #"{"num_bits":4,"type":"float","actorder":"group"}"#), .unsupported, "actorder"),
        (compressed(activations: #"{"num_bits":8,"type":"float"}"#), .unsupported, "input_activations.num_bits: '8'"),
        (compressed(rest: #","sparsity_config":{"format":"sparse-24-bitmask"}"#), .unsupported, "sparse-24-bitmask"),
        (compressed(rest: #","transform_config":{"config_groups":{}}"#), .unsupported, "transform"),
        (compressed(rest: #","kv_cache_scheme":{"num_bits":8,"type":"int"}"#), .unsupported, "'8-bit int'"),
        (#"{"quant_method":"mxfp4","modules_to_not_convert":{}}"#, .mismatched, "array of strings"),
    ]

    @Test("refuses everything else and says what it found", arguments: refused)
    func refuses(config: String, code: ModelFileError.Code, message: String) {
        let error = #expect(throws: ModelFileError.self) { try read(config: config) }
        #expect(error?.code == code)
        #expect(error?.description.contains(message) == true, "\(String(describing: error))")
        #expect(error?.item?.hasPrefix("quantization_config") == true)
    }

    @Test("refuses two files that speak of different libraries")
    func refusesContradiction() {
        let error = #expect(throws: ModelFileError.self) {
            try read(config: Self.compressed(), own: #"{"quantization":{"quant_algo":"NVFP4"}}"#)
        }
        #expect(error?.code == .mismatched)
        #expect(error?.message.contains("compressed-tensors") == true)
    }
}

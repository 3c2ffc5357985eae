import ModelFiles

/// The entries by which engines recognize a quantized checkpoint.
struct QuantizationConfiguration {
    /// `hf_quant_config.json`, which only ModelOpt writes.
    let separateFile: JSON?
    /// `quantization_config` of `config.json`.
    let embedded: JSON

    init(scheme: QuantizationScheme, summary: QuantizationSummary) {
        switch scheme.layout {
        case .modelOpt: self.init(modelOpt: summary, format: scheme.format)
        case .compressedTensors: self.init(compressedTensors: summary, format: scheme.format)
        }
    }

    /// What ModelOpt 0.47 writes for its recipes `W4A16_NVFP4_CFG` and `MXFP4_DEFAULT_CFG`.
    ///
    /// The producer names the conventions, not the program: TensorRT-LLM refuses any other name.
    private init(modelOpt summary: QuantizationSummary, format: QuantizationScheme.Format) {
        let producer = JSON.object(["name": .string("modelopt"), "version": .string("0.47.0")])
        let exclusions = ExclusionSummary(
            keptModules: summary.keptModules, quantizedModules: summary.quantizedModules)
        let patterns = JSON.strings(exclusions.patterns)
        let algorithm: JSON
        var quantization: JSONObject
        var embedded: JSONObject
        switch format {
        case .nvfp4:
            algorithm = .string("W4A16_NVFP4")
            let groupSize = JSON.integer(format.blockSize)
            quantization = ["quant_algo": algorithm, "kv_cache_quant_algo": .null, "group_size": groupSize]
            let weights: JSONObject = [
                "dynamic": .bool(false), "num_bits": .integer(4), "type": .string("float"), "group_size": groupSize,
            ]
            embedded = [
                "config_groups": Self.groups(["weights": .object(weights), "targets": .strings(["Linear"])])
            ]
        case .mxfp4:
            algorithm = .string("mxfp4")
            quantization = ["quant_algo": algorithm, "kv_cache_quant_algo": .null]
            embedded = [:]
        }
        quantization["exclude_modules"] = patterns
        embedded["ignore"] = patterns
        embedded["quant_algo"] = algorithm
        embedded["producer"] = producer
        embedded["quant_method"] = .string("modelopt")
        separateFile = .object(["producer": producer, "quantization": .object(quantization)])
        self.embedded = .object(embedded)
    }

    /// What llm-compressor writes for its schemes `NVFP4A16` and `MXFP4A16`, with compressed-tensors 0.20.
    private init(compressedTensors summary: QuantizationSummary, format: QuantizationScheme.Format) {
        let (name, strategy, scaleType, zeroPointType): (String, String, String, JSON) =
            switch format {
            case .nvfp4: ("nvfp4-pack-quantized", "tensor_group", "torch.float8_e4m3fn", .null)
            case .mxfp4: ("mxfp4-pack-quantized", "group", "torch.uint8", .string("torch.uint8"))
            }
        separateFile = nil
        let weights: JSONObject = [
            "actorder": .null, "block_structure": .null, "dynamic": .bool(false),
            "group_size": .integer(format.blockSize), "num_bits": .integer(4),
            "observer": .string("memoryless_minmax"), "observer_kwargs": .object([:]),
            "scale_dtype": .string(scaleType), "strategy": .string(strategy), "symmetric": .bool(true),
            "type": .string("float"), "zp_dtype": zeroPointType,
        ]
        let group: JSONObject = [
            "format": .string(name), "input_activations": .null, "output_activations": .null,
            "targets": .strings(["Linear"]), "weights": .object(weights),
        ]
        embedded = .object([
            "config_groups": Self.groups(group), "format": .string(name), "global_compression_ratio": .null,
            "ignore": .strings(summary.keptModules.filter { !Self.isEmbedding($0) }), "kv_cache_scheme": .null,
            "quant_method": .string("compressed-tensors"), "quantization_status": .string("compressed"),
            "sparsity_config": .object([:]), "transform_config": .object([:]), "version": .string("0.20.0"),
        ])
    }

    private static func groups(_ onlyGroup: JSONObject) -> JSON { .object(["group_0": .object(onlyGroup)]) }

    /// Embeddings are not among the modules of class `Linear` that the groups target.
    private static func isEmbedding(_ module: String) -> Bool {
        module.split(separator: ".").last?.contains("embed") ?? false
    }
}

extension JSON {
    fileprivate static func strings(_ strings: [String]) -> JSON { .array(strings.map { .string($0) }) }
}

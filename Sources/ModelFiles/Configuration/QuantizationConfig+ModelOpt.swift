extension QuantizationConfig {
    /// Reads `hf_quant_config.json`, or what ModelOpt writes into `config.json` with other keys.
    ///
    /// Sources: ModelOpt 0.47 `unified_export_hf.py` and `convert_hf_config.py`; older versions put the same as the
    /// separate file into `config.json`.
    init(modelOpt config: ConfigObject) throws(ModelFileError) {
        let quantization = try config.optionalObject("quantization") ?? config
        method = .modelOpt
        if let name = try quantization.optionalString("quant_algo") {
            algorithm = try Self.algorithm(name, "quant_algo", of: quantization)
        }
        for key in ["pre_quant_scale", "has_zero_point"] where try quantization.optionalBool(key) == true {
            throw quantization.unsupported(key, "true", supported: "plain NVFP4 weights")
        }
        switch algorithm {
        case .nvfp4, .nvfp4WeightOnly:
            groupSize = 16
            quantizesActivations = algorithm == .nvfp4
            try Self.checkGroupSize(of: quantization)
        case .mixed:
            (quantizesActivations, groupSize) = try Self.checkLayers(of: quantization)
        case .mxfp4: groupSize = 32
        case nil: break
        }
        kvCacheAlgorithm = try Self.kvCacheAlgorithm(of: quantization)
        let excluded = try quantization.strings("exclude_modules") + quantization.strings("ignore")
        excludedModules = excluded.map { ModulePattern(kind: .glob, text: $0) }
        producer = try Self.producer(of: config)
    }

    private static func algorithm(
        _ name: String, _ key: String, of config: ConfigObject
    ) throws(ModelFileError) -> Algorithm {
        // The only name that ModelOpt writes in lower case.
        guard let algorithm = name == "mxfp4" ? .mxfp4 : Algorithm(rawValue: name) else {
            throw config.unsupported(key, name, supported: "NVFP4, W4A16_NVFP4, mxfp4 and MIXED_PRECISION of these")
        }
        return algorithm
    }

    /// The block size stands at the top, or with each group of modules.
    private static func checkGroupSize(of config: ConfigObject) throws(ModelFileError) {
        try checkGroupSize("group_size", of: config)
        guard let groups = try config.optionalObject("config_groups") else { return }
        for key in groups.keys {
            guard let weights = try groups.object(key).optionalObject("weights") else { continue }
            try checkGroupSize("group_size", of: weights)
        }
    }

    private static func checkGroupSize(_ key: String, of config: ConfigObject) throws(ModelFileError) {
        guard let size = try config.optionalInteger(key), size != 16 else { return }
        throw config.unsupported(key, "\(size)", supported: "16 for NVFP4")
    }

    /// Checks the layers of a mixed model, and says whether any has quantized activations, and the size of all blocks.
    private static func checkLayers(
        of config: ConfigObject
    ) throws(ModelFileError) -> (quantizesActivations: Bool, groupSize: Int?) {
        var quantizesActivations = false
        var groupSizes: Set<Int> = []
        guard let layers = try config.optionalObject("quantized_layers") else { return (false, 16) }
        for name in layers.keys {
            let layer = try layers.object(name)
            let algorithm = try algorithm(layer.string("quant_algo"), "quant_algo", of: layer)
            guard algorithm != .mixed else {
                throw layer.unsupported("quant_algo", algorithm.rawValue, supported: "NVFP4 and mxfp4")
            }
            if algorithm != .mxfp4 { try checkGroupSize("group_size", of: layer) }
            if algorithm == .nvfp4 { quantizesActivations = true }
            groupSizes.insert(algorithm == .mxfp4 ? 32 : 16)
        }
        return (quantizesActivations, groupSizes.count > 1 ? nil : groupSizes.first ?? 16)
    }

    private static func kvCacheAlgorithm(of config: ConfigObject) throws(ModelFileError) -> KVCacheAlgorithm? {
        guard let name = try config.optionalString("kv_cache_quant_algo") else {
            return try kvCacheAlgorithm(fromSchemeOf: config)
        }
        guard let algorithm = KVCacheAlgorithm(rawValue: name) else {
            throw config.unsupported("kv_cache_quant_algo", name, supported: "FP8 and none")
        }
        return algorithm
    }

    private static func producer(of config: ConfigObject) throws(ModelFileError) -> String? {
        guard let producer = try config.optionalObject("producer") else { return nil }
        let words = [try producer.optionalString("name"), try producer.optionalString("version")].compactMap { $0 }
        return words.isEmpty ? nil : words.joined(separator: " ")
    }
}

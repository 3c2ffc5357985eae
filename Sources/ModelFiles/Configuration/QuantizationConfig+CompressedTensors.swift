extension QuantizationConfig {
    /// The part of a compressed-tensors group that decides how its weights are read.
    private struct Group: Equatable {
        let algorithm: Algorithm
        let groupSize: Int
        let quantizesActivations: Bool
    }

    /// Reads what llm-compressor writes into `config.json`.
    ///
    /// Source: compressed-tensors 0.20 `quant_config.py` and `quant_args.py`.
    init(compressedTensors config: ConfigObject) throws(ModelFileError) {
        method = .compressedTensors
        if let sparsity = try config.optionalObject("sparsity_config"),
            let format = try sparsity.optionalString("format"), format != "dense"
        {
            throw sparsity.unsupported("format", format, supported: "dense weights")
        }
        if let transforms = try config.optionalObject("transform_config"), let first = transforms.keys.first {
            throw transforms.unsupported(first, "a transform", supported: "weights without transforms")
        }
        let groups = try Self.groups(of: config)
        guard let first = groups.first else { throw config.missing("config_groups", expected: "at least one group") }
        let isUniform = groups.allSatisfy { $0 == first }
        algorithm = isUniform ? first.algorithm : .mixed
        groupSize = groups.allSatisfy { $0.groupSize == first.groupSize } ? first.groupSize : nil
        quantizesActivations = groups.contains { $0.quantizesActivations }
        kvCacheAlgorithm = try Self.kvCacheAlgorithm(fromSchemeOf: config)
        excludedModules = try config.strings("ignore").map { text in
            text.hasPrefix("re:")
                ? ModulePattern(kind: .regularExpression, text: String(text.dropFirst(3)))
                : ModulePattern(kind: .name, text: text)
        }
        producer = try config.optionalString("version").map { "compressed-tensors \($0)" }
    }

    private static func groups(of config: ConfigObject) throws(ModelFileError) -> [Group] {
        guard let groups = try config.optionalObject("config_groups") else { return [] }
        let format = try config.optionalString("format")
        var found: [Group] = []
        for key in groups.keys { found.append(try group(groups.object(key), commonFormat: format)) }
        return found
    }

    private static func group(_ group: ConfigObject, commonFormat: String?) throws(ModelFileError) -> Group {
        let format = try group.optionalString("format") ?? commonFormat
        let isMX: Bool
        switch format {
        case "nvfp4-pack-quantized": isMX = false
        case "mxfp4-pack-quantized": isMX = true
        default:
            throw group.unsupported(
                "format", format ?? "null", supported: "nvfp4-pack-quantized and mxfp4-pack-quantized")
        }
        let groupSize = isMX ? 32 : 16
        try check(group.object("weights"), groupSize: groupSize)
        let activations = try group.optionalObject("input_activations")
        if let activations { try check(activations, groupSize: groupSize) }
        if group.has("output_activations") {
            throw group.unsupported("output_activations", "a scheme", supported: "outputs as they are")
        }
        let algorithm: Algorithm = isMX ? .mxfp4 : activations == nil ? .nvfp4WeightOnly : .nvfp4
        return Group(algorithm: algorithm, groupSize: groupSize, quantizesActivations: activations != nil)
    }

    private static func check(_ scheme: ConfigObject, groupSize: Int) throws(ModelFileError) {
        let bits = try scheme.integer("num_bits")
        guard bits == 4 else { throw scheme.unsupported("num_bits", "\(bits)", supported: "4") }
        let type = try scheme.string("type", default: "int")
        guard type == "float" else { throw scheme.unsupported("type", type, supported: "float") }
        let size = try scheme.integer("group_size", default: groupSize)
        guard size == groupSize else { throw scheme.unsupported("group_size", "\(size)", supported: "\(groupSize)") }
        guard try scheme.bool("symmetric", default: true) else {
            throw scheme.unsupported("symmetric", "false", supported: "true")
        }
        if let order = try scheme.optionalString("actorder"), order != "static", order != "weight" {
            throw scheme.unsupported("actorder", order, supported: "weights in their own order")
        }
    }

    /// The KV cache of a `kv_cache_scheme`, which ModelOpt writes into `config.json` too.
    static func kvCacheAlgorithm(fromSchemeOf config: ConfigObject) throws(ModelFileError) -> KVCacheAlgorithm? {
        guard let scheme = try config.optionalObject("kv_cache_scheme") else { return nil }
        let bits = try scheme.integer("num_bits")
        let type = try scheme.string("type")
        guard bits == 8, type == "float" else {
            throw config.unsupported("kv_cache_scheme", "\(bits)-bit \(type)", supported: "8-bit float and none")
        }
        return .fp8
    }
}

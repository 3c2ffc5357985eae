/// What the configuration of a model says about its quantization.
///
/// Which modules really are quantized is decided by their tensors (a `U8` weight with a block scale beside it), as the
/// lists in published configurations are not always complete; this is for the formats and for diagnostics.
public struct QuantizationConfig: Sendable, Equatable {
    /// Which library's conventions the tensors follow.
    public enum Method: String, Sendable {
        /// The weights are not quantized.
        case none
        /// NVIDIA ModelOpt: `weight`, `weight_scale`, `weight_scale_2`.
        case modelOpt = "modelopt"
        /// compressed-tensors, as written by llm-compressor: `weight_packed`, `weight_scale`, `weight_global_scale`.
        case compressedTensors = "compressed-tensors"
        /// gpt-oss: `blocks` and `scales`.
        case mxfp4
    }

    /// The format of the quantized weights, spelled as ModelOpt does.
    public enum Algorithm: String, Sendable {
        /// NVFP4 weights and activations.
        case nvfp4 = "NVFP4"
        /// NVFP4 weights, activations as they are.
        case nvfp4WeightOnly = "W4A16_NVFP4"
        /// MXFP4 weights.
        case mxfp4 = "MXFP4"
        /// Several of these, by module.
        case mixed = "MIXED_PRECISION"
    }

    /// The format of the KV cache that the scales in the files are for.
    public enum KVCacheAlgorithm: String, Sendable {
        /// E4M3 with one scale a layer for the keys and one for the values.
        case fp8 = "FP8"
    }

    /// Which library's conventions the tensors follow.
    public var method: Method
    /// The format of the quantized weights, or nil if none are.
    public var algorithm: Algorithm?
    /// How many weights share a block scale, or nil if none do or if it differs.
    public var groupSize: Int?
    /// Whether the inputs of quantized modules are meant to be quantized too (W4A4).
    public var quantizesActivations = false
    /// The format of the KV cache, or nil if it is not quantized.
    public var kvCacheAlgorithm: KVCacheAlgorithm?
    /// The modules that are not quantized.
    public var excludedModules: [ModulePattern] = []
    /// The program that wrote the files, with its version, where they say it.
    public var producer: String?
    /// Where the configuration files contradict each other, and which one was followed; one sentence each.
    public var notes: [String] = []

    /// No quantization.
    public static let none = QuantizationConfig(method: .none)

    /// Reads `hf_quant_config.json` and the `quantization_config` of `config.json`, as far as they are there.
    ///
    /// If both are, `hf_quant_config.json` is followed: ModelOpt writes it itself, and there are published models whose
    /// `config.json` leaves out the KV cache. The differences are in ``notes``.
    ///
    /// - Throws: ``ModelFileError`` with code `unsupported` for any other quantization than those of ``Algorithm``.
    public init(folder: ModelFolder) throws(ModelFileError) {
        let embedded = try Self.embeddedConfig(of: folder.config).map { (config) throws(ModelFileError) in
            try QuantizationConfig(embedded: config)
        }
        guard let own = folder.quantizationConfig else {
            self = embedded ?? .none
            return
        }
        self = try QuantizationConfig(modelOpt: own)
        guard let embedded else { return }
        guard embedded.method == .modelOpt else {
            throw ModelFileError(
                .mismatched, file: own.file,
                "describes a ModelOpt quantization, but config.json one of \(embedded.method.rawValue)")
        }
        notes = differences(from: embedded)
    }

    /// Reads the `quantization_config` of a `config.json` that stands alone.
    ///
    /// - Throws: ``ModelFileError`` with code `unsupported` for any other quantization than those of ``Algorithm``.
    public init(config: ConfigObject) throws(ModelFileError) {
        guard let embedded = try Self.embeddedConfig(of: config) else {
            self = .none
            return
        }
        self = try QuantizationConfig(embedded: embedded)
    }

    /// Whether the lists say that the module of this name is not quantized.
    public func excludes(_ module: String) -> Bool { excludedModules.contains { $0.matches(module) } }

    init(method: Method) { self.method = method }

    /// Multimodal models may have it in `text_config`; `compression_config` is an older name of compressed-tensors.
    private static func embeddedConfig(of config: ConfigObject) throws(ModelFileError) -> ConfigObject? {
        for parent in [config, try config.optionalObject("text_config")] {
            for key in ["quantization_config", "compression_config"] {
                if let found = try parent?.optionalObject(key), !found.keys.isEmpty { return found }
            }
        }
        return nil
    }

    private init(embedded config: ConfigObject) throws(ModelFileError) {
        let method = try config.optionalString("quant_method")
        switch method {
        case .some(let name) where name.hasPrefix("modelopt"): self = try QuantizationConfig(modelOpt: config)
        case "compressed-tensors": self = try QuantizationConfig(compressedTensors: config)
        case "mxfp4": self = try QuantizationConfig(mxfp4: config)
        case nil where config.has("quantization") || config.has("quant_algo"):
            self = try QuantizationConfig(modelOpt: config)
        case nil: throw config.missing("quant_method", expected: "a string")
        case .some(let name):
            throw config.unsupported(
                "quant_method", name, supported: "modelopt, compressed-tensors and mxfp4 with 4-bit floating point")
        }
    }

    private init(mxfp4 config: ConfigObject) throws(ModelFileError) {
        method = .mxfp4
        algorithm = .mxfp4
        groupSize = 32
        excludedModules = try config.strings("modules_to_not_convert").map {
            ModulePattern(kind: .globOfContainer, text: $0)
        }
    }

    private func differences(from embedded: QuantizationConfig) -> [String] {
        var differences: [String] = []
        func compare(_ what: String, _ own: String?, _ other: String?) {
            guard own != other else { return }
            differences.append(
                "\(what) is \(own ?? "none") in hf_quant_config.json, which is followed, "
                    + "but \(other ?? "none") in config.json")
        }
        compare("the weight format", algorithm?.rawValue, embedded.algorithm?.rawValue)
        compare("the KV cache format", kvCacheAlgorithm?.rawValue, embedded.kvCacheAlgorithm?.rawValue)
        let own = Set(excludedModules.map(\.text))
        let others = Set(embedded.excludedModules.map(\.text))
        if own != others {
            differences.append(
                "the excluded modules differ: \(own.subtracting(others).count) are only in hf_quant_config.json, which "
                    + "is followed, and \(others.subtracting(own).count) only in config.json")
        }
        return differences
    }
}

extension ConfigObject {
    /// An error that names what was found and what would be supported.
    func unsupported(_ key: String, _ found: String, supported: String) -> ModelFileError {
        error(.unsupported, key, "\(found.quotedForMessage) is not supported; supported are \(supported)")
    }
}

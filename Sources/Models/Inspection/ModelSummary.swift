import Kernels
public import ModelFiles

/// What a checkpoint is: architecture, sizes, quantization, and what a token costs.
public struct ModelSummary {
    private let checkpoint: Checkpoint
    private let specification: ModelSpecification
    private let quantization: QuantizationConfig
    private let volume: ReadVolume

    /// Reads the descriptions of all tensors, and none of their bytes but scales.
    public init(_ checkpoint: Checkpoint) throws {
        self.checkpoint = checkpoint
        specification = try ModelSpecification(config: checkpoint.config)
        quantization = try QuantizationConfig(folder: checkpoint.folder)
        volume = try ReadVolume(specification, checkpoint: checkpoint)
    }

    /// The summary as an object.
    public var json: JSON {
        var members: JSONObject = [
            "path": .string(checkpoint.path),
            "architecture": .string(specification.architecture),
            "layers": .integer(specification.layers.count),
            "hidden_size": .integer(specification.hiddenSize),
            "vocabulary": .integer(specification.vocabularySize),
            "context_length": .integer(specification.contextLength),
        ]
        if let mixture { members["experts"] = mixture }
        if case .object(let census) = TensorCensus(checkpoint.tensors).json {
            for (key, value) in census { members[key] = value }
        }
        members["quantization"] = quantizationSummary
        members["bytes_read_per_token"] = volume.json
        return .object(members)
    }

    private var mixture: JSON? {
        for layer in specification.layers {
            guard case .mixture(_, let routing, let experts, let shared) = layer.feedForward else { continue }
            return .object([
                "count": .integer(experts.count), "top_k": .integer(routing.topK),
                "intermediate_size": .integer(experts.intermediateSize), "shared": .integer(shared == nil ? 0 : 1),
            ])
        }
        return nil
    }

    private var quantizationSummary: JSON {
        .object([
            "method": .string(quantization.method.rawValue),
            "algorithm": quantization.algorithm.map { .string($0.rawValue) } ?? .null,
            "group_size": quantization.groupSize.map { .integer($0) } ?? .null,
            "activations": .string(quantization.quantizesActivations ? "quantized (W4A4)" : "full"),
            "kv_cache": quantization.kvCacheAlgorithm.map { .string($0.rawValue) } ?? .null,
            "producer": quantization.producer.map { .string($0) } ?? .null,
            "excluded_modules": .array(quantization.excludedModules.map { .string($0.description) }),
            "notes": .array(quantization.notes.map { .string($0) }),
        ])
    }
}

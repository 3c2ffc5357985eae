import ModelFiles

/// A tiny checkpoint and what transformers computes with it; see `Tests/Golden/README.md`.
public struct ReferenceModel: CustomStringConvertible, Sendable {
    /// The name of its folder.
    public let name: String
    /// Whether there are references for W4A4 too.
    public let hasQuantizedActivations: Bool

    /// The name of its folder.
    public var description: String { name }
    /// The path of its folder.
    public var folder: String { Golden.path("models/\(name)") }

    /// All checkpoints of the folder.
    public static let all = [
        ReferenceModel(name: "gpt_oss-ct-nvfp4-mlp", hasQuantizedActivations: true),
        ReferenceModel(name: "gpt_oss-modelopt-nvfp4-experts-only", hasQuantizedActivations: true),
        ReferenceModel(name: "gpt_oss-mxfp4", hasQuantizedActivations: false),
        ReferenceModel(name: "llama4_maverick-bf16", hasQuantizedActivations: false),
        ReferenceModel(name: "llama4_maverick-modelopt-nvfp4-default", hasQuantizedActivations: true),
        ReferenceModel(name: "llama4_scout-ct-nvfp4-mlp", hasQuantizedActivations: true),
        ReferenceModel(name: "llama4_scout-modelopt-nvfp4-default-kvfp8", hasQuantizedActivations: true),
        ReferenceModel(name: "llama_dense-bf16", hasQuantizedActivations: false),
        ReferenceModel(name: "llama_dense-ct-nvfp4a16", hasQuantizedActivations: false),
        ReferenceModel(name: "llama_dense-modelopt-mxfp4-default", hasQuantizedActivations: false),
        ReferenceModel(name: "llama_dense-modelopt-nvfp4-default-kvfp8", hasQuantizedActivations: true),
        ReferenceModel(name: "qwen3_dense-bf16", hasQuantizedActivations: false),
        ReferenceModel(name: "qwen3_dense-ct-nvfp4", hasQuantizedActivations: true),
        ReferenceModel(name: "qwen3_moe-ct-nvfp4", hasQuantizedActivations: true),
        ReferenceModel(name: "qwen3_moe-modelopt-nvfp4-default-kvfp8", hasQuantizedActivations: true),
    ]

    /// The references for float32 activations, or for W4A4.
    public func references(quantizedActivations: Bool) throws -> References {
        try References(path: Golden.path("refs/\(name)\(quantizedActivations ? ".w4a4" : "").ref.safetensors"))
    }
}

/// Expected values of the prompts p0 to p3.
public struct References {
    /// The expected values of one prompt.
    public struct Prompt {
        /// p0 to p3.
        public let name: String
        /// The tokens.
        public let input: [Int32]
        /// The positions whose logits are given.
        public let positions: [Int]
        /// `[positions, V]`.
        public let logits: [Float]
        /// The logarithm of the sum of exponentials at every position, `[T]`.
        public let logSumExp: [Float]
        /// The most likely continuation.
        public let greedy: [Int32]
        /// The difference of the two largest logits at each greedy step.
        public let margins: [Float]
    }

    /// The prompts in order.
    public let prompts: [Prompt]

    init(path: String) throws {
        let file = try SafeTensors(path: path)
        let tensors = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.name, $0) })
        func integers(_ name: String) throws -> [Int32] { try Self.values(tensors, name) }
        func floats(_ name: String) throws -> [Float] { try Self.values(tensors, name) }
        prompts = try ["p0", "p1", "p2", "p3"].map { prompt in
            Prompt(
                name: prompt, input: try integers(prompt + ".input_ids"),
                positions: try integers(prompt + ".positions").map { Int($0) },
                logits: try floats(prompt + ".logits"), logSumExp: try floats(prompt + ".logsumexp"),
                greedy: try integers(prompt + ".greedy_ids"),
                margins: try floats(prompt + ".greedy_margin"))
        }
    }

    private static func values<Value: BitwiseCopyable>(
        _ tensors: [String: TensorView], _ name: String
    ) throws -> [Value] {
        guard let tensor = tensors[name] else {
            throw ModelFileError(.missing, file: "references", item: name, "no such tensor")
        }
        return (0..<tensor.elementCount).map {
            tensor.bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Value>.size, as: Value.self)
        }
    }
}

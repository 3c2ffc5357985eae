public import ModelFiles

/// A family of models that share tensor names and rules.
protocol Architecture {
    /// The values of `model_type` in `config.json` that this architecture reads.
    static var modelTypes: [String] { get }

    /// Says what a checkpoint with this configuration computes.
    static func specification(_ config: ConfigObject) throws -> ModelSpecification
}

extension ModelSpecification {
    private static var architectures: [any Architecture.Type] {
        [Llama4.self, Qwen3MoE.self, GPTOSS.self, Qwen3.self, Llama.self]
    }

    /// Says what a checkpoint computes, from its `config.json`.
    ///
    /// - Throws: ``ModelFileError`` if the architecture is not one of Nibble's, or a field is missing, has another type
    ///   or range, or asks for something that Nibble does not compute.
    public init(config: ConfigObject) throws {
        let modelType = try config.string("model_type")
        guard let architecture = Self.architectures.first(where: { $0.modelTypes.contains(modelType) }) else {
            let known = Self.architectures.flatMap { $0.modelTypes }.joined(separator: ", ")
            throw config.error(
                .unsupported, "model_type", "found \(modelType.quotedForMessage), Nibble runs \(known)")
        }
        self = try architecture.specification(config)
    }
}

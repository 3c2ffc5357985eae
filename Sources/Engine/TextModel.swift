public import ChatTemplates
public import Kernels
public import ModelFiles
public import Models
public import Tokenization

/// A model with everything around it: weights on a backend, tokenizer, chat template, and generation defaults.
public struct TextModel<B: Backend> {
    /// The forward pass.
    public let transformer: Transformer<B>
    /// The tokenizer; nil if the folder has none.
    public let tokenizer: Tokenizer?
    /// The chat template; nil if the folder has none.
    public let chatTemplate: ChatTemplate?
    /// The settings of `generation_config.json`, and the ids of begin and end tokens.
    public let generationConfig: GenerationConfig

    /// Loads a folder in the layout of Hugging Face repositories.
    ///
    /// - Parameters:
    ///   - checkpoint: the folder's files.
    ///   - backend: where the weights go.
    ///   - maximumRowCount: the most tokens of a prefill step.
    ///   - onProgress: called after each layer with the number of loaded layers and of all.
    /// - Throws: ``ModelFileError`` or ``KernelError``.
    public init(
        _ checkpoint: Checkpoint, backend: B, maximumRowCount: Int = 512,
        onProgress: @escaping (Int, Int) -> Void = { _, _ in }
    ) throws {
        let specification = try ModelSpecification(config: checkpoint.config)
        // Which modules are packed is seen in the tensors; this refuses formats that Nibble does not read.
        _ = try QuantizationConfig(folder: checkpoint.folder)
        tokenizer = try checkpoint.folder.pathOfFile("tokenizer.json").map { try Tokenizer(contentsOfFile: $0) }
        chatTemplate = try ChatTemplate.load(folder: checkpoint.path)
        generationConfig = try GenerationConfig(folder: checkpoint.folder)
        let weights = try ModelLoader(checkpoint, backend: backend, onProgress: onProgress).load(specification)
        transformer = try Transformer(
            specification: specification, weights: weights, backend: backend, maximumRowCount: maximumRowCount)
    }
}

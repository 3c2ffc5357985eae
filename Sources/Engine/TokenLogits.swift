import Models

extension TextModel {
    /// Runs tokens as one sequence and hands over the logits after each of them, chunk by chunk.
    ///
    /// - Parameter onLogits: called with `[count, V]` row-major logits of consecutive positions.
    /// - Throws: ``EngineError`` if there is no token, one is outside the vocabulary, or they exceed the context.
    public func forEachLogits(of tokens: [Int], _ onLogits: ([Float]) throws -> Void) throws {
        let specification = transformer.specification
        guard !tokens.isEmpty, tokens.count <= specification.contextLength else {
            throw EngineError(
                .invalidPrompt, "expected 1 to \(specification.contextLength) tokens, found \(tokens.count)")
        }
        try requireKnown(tokens)
        let sequence = try PromptedSequence(transformer, capacity: tokens.count)
        try sequence.append(tokens, onLogits: onLogits)
    }
}

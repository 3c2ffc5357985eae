import Models

extension TextModel {
    /// Refuses tokens that the model has no logits for, as a tokenizer of another model gives.
    func requireKnown(_ tokens: [Int]) throws(EngineError) {
        let size = transformer.specification.vocabularySize
        guard let unknown = tokens.first(where: { $0 < 0 || $0 >= size }) else { return }
        throw EngineError(.invalidPrompt, "token \(unknown) is outside the model's vocabulary of \(size)")
    }
}

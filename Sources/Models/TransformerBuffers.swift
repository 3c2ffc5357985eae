import Kernels

/// The activations between the operations of a step, made once for the largest step.
struct TransformerBuffers<B: Backend> {
    /// The most rows of logits at once: a row has the size of the vocabulary.
    static var logitRowCount: Int { 32 }

    /// The residual stream, `[T, H]`.
    let hidden: B.Activations
    /// The normed residual stream, `[T, H]`.
    let normalized: B.Activations
    /// Query, key and value heads, `[T, (Q + 2 KV) D]` of the widest layer.
    let projected: B.Activations
    /// The attention's output, `[T, Q D]` of the widest layer.
    let attended: B.Activations
    /// Router logits, `[T, E]` of the layer with most experts.
    let routerLogits: B.Activations
    /// The sum of a layer's experts, `[T, H]`.
    let mixed: B.Activations
    /// The residual stream of the rows that go to the head, `[logitRowCount, H]`.
    let selected: B.Activations
    /// Logits, `[logitRowCount, V]`.
    let logits: B.Activations

    init(_ specification: ModelSpecification, rowCount: Int, backend: B) throws {
        let hiddenSize = specification.hiddenSize
        hidden = try backend.makeActivations(rowCount: rowCount, columnCount: hiddenSize)
        normalized = try backend.makeActivations(rowCount: rowCount, columnCount: hiddenSize)
        projected = try backend.makeActivations(
            rowCount: rowCount, columnCount: specification.attentions.map(\.projectedSize).max() ?? 0)
        attended = try backend.makeActivations(
            rowCount: rowCount,
            columnCount: specification.attentions.map { $0.queryHeadCount * $0.headSize }.max() ?? 0)
        routerLogits = try backend.makeActivations(rowCount: rowCount, columnCount: specification.maximumExpertCount)
        mixed = try backend.makeActivations(rowCount: rowCount, columnCount: hiddenSize)
        selected = try backend.makeActivations(rowCount: Self.logitRowCount, columnCount: hiddenSize)
        logits = try backend.makeActivations(
            rowCount: Self.logitRowCount, columnCount: specification.vocabularySize)
    }
}

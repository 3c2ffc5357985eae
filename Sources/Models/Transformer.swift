public import Kernels

/// A decoder-only transformer on a backend: the forward pass of every architecture.
///
/// Rows of a step may belong to several sequences; each sequence has a cache of its own.
public final class Transformer<B: Backend> {
    /// What is computed.
    public let specification: ModelSpecification
    /// The device that computes it.
    public let backend: B
    /// The most rows of one step.
    public let maximumRowCount: Int

    private let weights: TransformerWeights<B>
    private let buffers: TransformerBuffers<B>

    /// Makes the buffers for steps of at most `maximumRowCount` rows.
    public init(
        specification: ModelSpecification, weights: TransformerWeights<B>, backend: B, maximumRowCount: Int = 512
    ) throws {
        self.specification = specification
        self.weights = weights
        self.backend = backend
        self.maximumRowCount = maximumRowCount
        buffers = try TransformerBuffers(specification, rowCount: maximumRowCount, backend: backend)
    }

    /// Makes an empty cache for one sequence of at most `capacity` tokens.
    public func makeCache(capacity: Int) throws -> B.KeyValueCache {
        try backend.makeKeyValueCache(layers: weights.layers.map(\.attention), capacity: capacity)
    }

    /// Runs one step and returns the logits of the rows asked for, `[logitRows.count, V]` row-major.
    ///
    /// - Parameters:
    ///   - tokens: the token of each row, at most ``maximumRowCount``, each below the vocabulary size.
    ///   - sequences: the sequences that the rows belong to; their ranges cover the rows in order.
    ///   - logitRows: the rows whose logits are wanted.
    public func step(
        tokens: [Int32], sequences: [SequenceRows<B.KeyValueCache>], logitRows: [Int]
    ) throws -> [Float] {
        precondition(tokens.count <= maximumRowCount, "a step has at most \(maximumRowCount) rows")
        let rowCount = tokens.count
        try backend.embed(tokens, from: weights.embedding, into: buffers.hidden)
        for (index, layer) in weights.layers.enumerated() {
            try attend(layer, index: index, rowCount: rowCount, sequences: sequences)
            try feedForward(layer, rowCount: rowCount)
        }
        return try logits(of: logitRows)
    }

    private func attend(
        _ layer: TransformerWeights<B>.Layer, index: Int, rowCount: Int, sequences: [SequenceRows<B.KeyValueCache>]
    ) throws {
        try normalizeHidden(rowCount: rowCount, weight: layer.attentionNorm)
        try backend.apply(
            layer.projections, to: buffers.normalized, rowCount: rowCount, accumulating: false,
            into: buffers.projected)
        try backend.prepareHeads(
            buffers.projected, attention: layer.attention, layer: index, sequences: sequences)
        try backend.attend(
            buffers.projected, attention: layer.attention, layer: index, sequences: sequences,
            into: buffers.attended)
        try backend.apply(
            layer.attentionOutput, to: buffers.attended, rowCount: rowCount, accumulating: true,
            into: buffers.hidden)
    }

    private func feedForward(_ layer: TransformerWeights<B>.Layer, rowCount: Int) throws {
        try normalizeHidden(rowCount: rowCount, weight: layer.feedForwardNorm)
        switch layer.feedForward {
        case .dense(let dense):
            try backend.feedForward(
                dense, input: buffers.normalized, rowCount: rowCount, addingTo: buffers.hidden)
        case .mixture(let router, let routing, let experts, let shared):
            try backend.apply(
                router, to: buffers.normalized, rowCount: rowCount, accumulating: false, into: buffers.routerLogits)
            // Experts are added to each other first: another order than transformers' would round differently.
            try backend.clear(buffers.mixed, rowCount: rowCount)
            if let shared {
                try backend.feedForward(
                    shared, input: buffers.normalized, rowCount: rowCount, addingTo: buffers.mixed)
            }
            try backend.routeToExperts(
                experts, routing: routing, logits: buffers.routerLogits, input: buffers.normalized,
                rowCount: rowCount, addingTo: buffers.mixed)
            try backend.add(buffers.mixed, rowCount: rowCount, to: buffers.hidden)
        }
    }

    /// The head runs on the wanted rows only, a few at a time, as a row of logits is far wider than a hidden state.
    private func logits(of rows: [Int]) throws -> [Float] {
        guard rows.count > TransformerBuffers<B>.logitRowCount else { return try logits(ofFew: rows) }
        var logits: [Float] = []
        logits.reserveCapacity(rows.count * specification.vocabularySize)
        for start in stride(from: 0, to: rows.count, by: TransformerBuffers<B>.logitRowCount) {
            let end = min(start + TransformerBuffers<B>.logitRowCount, rows.count)
            logits += try self.logits(ofFew: Array(rows[start..<end]))
        }
        return logits
    }

    private func logits(ofFew rows: [Int]) throws -> [Float] {
        try backend.gather(rows, from: buffers.hidden, into: buffers.selected)
        try backend.normalize(
            buffers.selected, rowCount: rows.count, weight: weights.finalNorm, epsilon: specification.normEpsilon,
            into: buffers.selected)
        try backend.apply(
            weights.head, to: buffers.selected, rowCount: rows.count, accumulating: false, into: buffers.logits)
        return try backend.read(buffers.logits, rowCount: rows.count)
    }

    private func normalizeHidden(rowCount: Int, weight: B.Vector) throws {
        try backend.normalize(
            buffers.hidden, rowCount: rowCount, weight: weight, epsilon: specification.normEpsilon,
            into: buffers.normalized)
    }
}

import Kernels
import Models

/// One sequence on a model: its cache, and how far it has come.
final class PromptedSequence<B: Backend> {
    private let transformer: Transformer<B>
    private let cache: B.KeyValueCache
    private var position = 0
    /// How often tokens were appended.
    private(set) var stepCount = 0

    init(_ transformer: Transformer<B>, capacity: Int) throws {
        self.transformer = transformer
        cache = try transformer.makeCache(capacity: capacity)
    }

    /// Appends tokens, in chunks of at most the transformer's row count, and returns the logits after the last, `[V]`.
    func append(_ tokens: [Int]) throws -> [Float] {
        stepCount += 1
        var logits: [Float] = []
        try forEachChunk(tokens) { chunk, isLast in
            logits = try step(chunk, logitRows: isLast ? [chunk.count - 1] : [])
        }
        return logits
    }

    /// Appends tokens and hands over the logits after each of them, `[count, V]` for each chunk.
    func append(_ tokens: [Int], onLogits: ([Float]) throws -> Void) throws {
        stepCount += 1
        try forEachChunk(tokens) { chunk, _ in try onLogits(step(chunk, logitRows: Array(chunk.indices))) }
    }

    private func forEachChunk(_ tokens: [Int], _ body: ([Int32], Bool) throws -> Void) throws {
        for start in stride(from: 0, to: tokens.count, by: transformer.maximumRowCount) {
            let end = min(start + transformer.maximumRowCount, tokens.count)
            let chunk = tokens[start..<end].map { Int32($0) }
            try body(chunk, end == tokens.count)
            position += chunk.count
        }
    }

    private func step(_ chunk: [Int32], logitRows: [Int]) throws -> [Float] {
        let rows = SequenceRows(cache: cache, rows: 0..<chunk.count, firstPosition: position)
        return try transformer.step(tokens: chunk, sequences: [rows], logitRows: logitRows)
    }
}

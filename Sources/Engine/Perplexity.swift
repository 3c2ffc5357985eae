import ModelFiles
import Models

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// How well a model predicts a text.
public struct Perplexity: Sendable, Equatable {
    /// The mean cross-entropy of a token in nats.
    public let loss: Double
    /// The number of tokens that were predicted.
    public let tokenCount: Int

    /// `exp(loss)`.
    public var perplexity: Double { exp(loss) }
}

extension TextModel {
    /// Measures perplexity over rows of `rowLength` tokens.
    ///
    /// Each row is fed as the begin token and its first `rowLength - 1` tokens, so that every token of the row is
    /// predicted; a partial last row is dropped. A model without a begin token predicts all but a row's first token.
    ///
    /// - Parameters:
    ///   - tokens: the whole text without special tokens.
    ///   - rowLength: tokens of a row, 2 to the model's context length.
    ///   - onProgress: called after each row with the number of finished rows and of all.
    /// - Throws: ``EngineError`` for a row length out of range, a text shorter than a row, or an unknown token; the backend's
    ///   error.
    public func perplexity(
        of tokens: [Int], rowLength: Int, onProgress: (Int, Int) -> Void = { _, _ in }
    ) throws -> Perplexity {
        let contextLength = transformer.specification.contextLength
        guard (2...max(2, contextLength)).contains(rowLength) else {
            throw EngineError(.invalidOption, "context: expected 2 to \(contextLength) tokens, found \(rowLength)")
        }
        let rowCount = tokens.count / rowLength
        guard rowCount > 0 else {
            throw EngineError(
                .invalidPrompt, "the text has \(tokens.count) tokens, fewer than one row of \(rowLength)")
        }
        // The last token of a row is predicted, and never fed.
        try requireKnown(tokens)
        var sum = 0.0
        var tokenCount = 0
        for row in 0..<rowCount {
            let rowTokens = Array(tokens[row * rowLength..<(row + 1) * rowLength])
            let losses = try crossEntropies(of: rowTokens)
            sum += losses.reduce(0, +)
            tokenCount += losses.count
            onProgress(row + 1, rowCount)
        }
        return Perplexity(loss: sum / Double(tokenCount), tokenCount: tokenCount)
    }

    private func crossEntropies(of row: [Int]) throws -> [Double] {
        let begin = generationConfig.beginTokens.first
        let input = begin.map { [$0] + row.dropLast() } ?? Array(row.dropLast())
        let targets = begin == nil ? Array(row.dropFirst()) : row
        let width = transformer.specification.vocabularySize
        var losses: [Double] = []
        try forEachLogits(of: input) { logits in
            for position in 0..<logits.count / width {
                let target = targets[losses.count]
                losses.append(Self.crossEntropy(logits[position * width..<(position + 1) * width], target: target))
            }
        }
        guard losses.allSatisfy(\.isFinite) else {
            throw EngineError(
                .invalidLogits, "the model's logits are not finite numbers; the checkpoint may be damaged")
        }
        return losses
    }

    private static func crossEntropy(_ logits: ArraySlice<Float>, target: Int) -> Double {
        let maximum = Double(logits.max() ?? 0)
        let sum = logits.reduce(0.0) { $0 + exp(Double($1) - maximum) }
        return log(sum) + maximum - Double(logits[logits.startIndex + target])
    }
}

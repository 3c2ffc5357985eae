internal import HeapModule
import Models

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Draws tokens from logits.
///
/// The order is that of transformers: repetition penalty, temperature, top-k, top-p, min-p.
public struct Sampler {
    private let options: SamplingOptions
    private var generator: SplitMix64
    private var seen: Set<Int> = []

    /// A sampler whose repetition penalty counts the tokens of the prompt.
    ///
    /// - Throws: ``EngineError`` if an option is outside its range.
    public init(_ options: SamplingOptions, prompt: [Int]) throws(EngineError) {
        try options.validate()
        self.options = options
        generator = SplitMix64(seed: options.seed)
        if options.repetitionPenalty != 1 { seen = Set(prompt) }
    }

    /// Draws the next token from logits `[V]`.
    ///
    /// - Throws: ``EngineError`` with code `invalidLogits` if no logit is a finite number.
    public mutating func sample(_ logits: [Float]) throws(EngineError) -> Int {
        var logits = logits
        penalizeRepetition(&logits)
        let best = Self.indexOfMaximum(logits)
        guard let best, logits[best].isFinite else {
            throw EngineError(
                .invalidLogits, "the model's logits are not finite numbers; the checkpoint may be damaged")
        }
        let token = options.temperature == 0 ? best : draw(logits, maximum: Double(logits[best]))
        if options.repetitionPenalty != 1 { seen.insert(token) }
        return token
    }

    /// The index of the largest value, the lowest among equals; nil if all are NaN.
    static func indexOfMaximum(_ values: [Float]) -> Int? {
        var best: Int?
        var maximum = -Float.infinity
        for (index, value) in values.enumerated() where value > maximum || (best == nil && value == maximum) {
            best = index
            maximum = value
        }
        return best
    }

    private func penalizeRepetition(_ logits: inout [Float]) {
        guard options.repetitionPenalty != 1 else { return }
        let penalty = Float(options.repetitionPenalty)
        for token in seen where logits.indices.contains(token) {
            logits[token] = logits[token] > 0 ? logits[token] / penalty : logits[token] * penalty
        }
    }

    /// Ordered by weight; of equal ones the lowest token is the greatest.
    private struct Candidate: Comparable {
        let token: Int
        /// Relative to the most likely token, which has weight 1.
        let weight: Double

        static func < (left: Candidate, right: Candidate) -> Bool {
            left.weight == right.weight ? left.token > right.token : left.weight < right.weight
        }
    }

    private mutating func draw(_ logits: [Float], maximum: Double) -> Int {
        var candidates: [Candidate] = []
        candidates.reserveCapacity(logits.count)
        for (token, logit) in logits.enumerated() where logit > -.infinity {
            let weight = exp((Double(logit) - maximum) / options.temperature)
            if weight > 0 { candidates.append(Candidate(token: token, weight: weight)) }
        }
        if options.topK > 0 { keepTopK(&candidates) }
        if options.topP < 1 { keepTopP(&candidates) }
        // The most likely token has weight 1, so a share of it is a threshold.
        if options.minP > 0 { candidates.removeAll { $0.weight < options.minP } }
        return pick(candidates)
    }

    // Few of a large vocabulary are kept: a heap finds them without sorting the rest.

    private func keepTopK(_ candidates: inout [Candidate]) {
        var heap = Heap(candidates)
        candidates.removeAll(keepingCapacity: true)
        while candidates.count < options.topK, let next = heap.popMax() { candidates.append(next) }
    }

    private func keepTopP(_ candidates: inout [Candidate]) {
        let target = options.topP * candidates.reduce(0) { $0 + $1.weight }
        var heap = Heap(candidates)
        candidates.removeAll(keepingCapacity: true)
        var sum = 0.0
        while sum < target || candidates.isEmpty, let next = heap.popMax() {
            sum += next.weight
            candidates.append(next)
        }
    }

    private mutating func pick(_ candidates: [Candidate]) -> Int {
        let total = candidates.reduce(0) { $0 + $1.weight }
        var remaining = Double.random(in: 0..<1, using: &generator) * total
        for candidate in candidates {
            remaining -= candidate.weight
            if remaining < 0 { return candidate.token }
        }
        // Rounding can leave a remainder; the best token always is a candidate.
        return candidates.last?.token ?? 0
    }
}

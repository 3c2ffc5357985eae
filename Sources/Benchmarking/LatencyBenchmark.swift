public import Kernels
public import Models

/// How long a prompt and each further token take, one batch of equal sequences at a time.
public struct LatencyBenchmark {
    /// The number of tokens of each prompt.
    public var inputLength: Int
    /// The number of tokens generated after each prompt.
    public var outputLength: Int
    /// The number of sequences.
    public var batchSize: Int
    /// How often everything is repeated.
    public var iterationCount: Int
    /// The seed of the tokens.
    public var seed: UInt64

    /// Describes a benchmark.
    public init(inputLength: Int, outputLength: Int, batchSize: Int, iterationCount: Int, seed: UInt64 = 0) {
        self.inputLength = inputLength
        self.outputLength = outputLength
        self.batchSize = batchSize
        self.iterationCount = iterationCount
        self.seed = seed
    }

    /// Steps between two measurements of the bandwidth, which may change within a second.
    private static let stretchLength = 16

    /// What was measured.
    public struct Result: Sendable {
        /// Seconds until all prompts had their first token, of each iteration (TTFT).
        public internal(set) var prefillSeconds: [Double] = []
        /// The steps that followed, of all iterations, in runs of a few.
        public internal(set) var stretches: [DecodeStretch] = []

        /// Seconds of each further token of the batch, of all iterations (TPOT).
        public var stepSeconds: [Double] { stretches.flatMap(\.stepSeconds) }
    }

    /// Runs one iteration to warm up, then the counted ones.
    ///
    /// Tokens are drawn at random rather than by the model, so that a model of synthetic weights does not repeat one
    /// token, and with it one choice of experts that then stay in the cache.
    ///
    /// - Parameters:
    ///   - readBandwidth: measures how many bytes per second can be read; called every few steps, between them.
    ///   - onProgress: called after each iteration, with that to warm up.
    public func run<B: Backend>(
        _ transformer: Transformer<B>, readBandwidth: () -> Double, onProgress: (Int, Int) -> Void = { _, _ in }
    ) throws -> Result {
        var random = SplitMix64(seed: seed)
        var result = Result()
        for iteration in 0...iterationCount {
            let measured = try runIteration(transformer, readBandwidth: readBandwidth, using: &random)
            if iteration > 0 {
                result.prefillSeconds += measured.prefillSeconds
                result.stretches += measured.stretches
            }
            onProgress(iteration + 1, iterationCount + 1)
        }
        return result
    }

    private func runIteration<B: Backend>(
        _ transformer: Transformer<B>, readBandwidth: () -> Double, using random: inout SplitMix64
    ) throws -> Result {
        let vocabularySize = transformer.specification.vocabularySize
        func tokens(_ count: Int) -> [Int32] {
            (0..<count).map { _ in Int32.random(in: 0..<Int32(vocabularySize), using: &random) }
        }
        let capacity = inputLength + outputLength
        let caches = try (0..<batchSize).map { _ in try transformer.makeCache(capacity: capacity) }
        var result = Result()
        let clock = ContinuousClock()

        let prompts = caches.map { _ in tokens(inputLength) }
        let start = clock.now
        for (cache, prompt) in zip(caches, prompts) { try prefill(prompt, into: cache, transformer) }
        result.prefillSeconds.append((clock.now - start).seconds)

        var bandwidthBefore = readBandwidth()
        for start in stride(from: inputLength, to: capacity - 1, by: Self.stretchLength) {
            let positions = start..<min(start + Self.stretchLength, capacity - 1)
            let stepSeconds = try positions.map { position in
                let step = tokens(batchSize)
                let rows = caches.enumerated().map { row, cache in
                    SequenceRows(cache: cache, rows: row..<row + 1, firstPosition: position)
                }
                let start = clock.now
                _ = try transformer.step(tokens: step, sequences: rows, logitRows: Array(0..<batchSize))
                return (clock.now - start).seconds
            }
            let bandwidthAfter = readBandwidth()
            result.stretches.append(
                DecodeStretch(
                    positions: positions, stepSeconds: stepSeconds, bandwidthBefore: bandwidthBefore,
                    bandwidthAfter: bandwidthAfter))
            bandwidthBefore = bandwidthAfter
        }
        return result
    }

    private func prefill<B: Backend>(
        _ prompt: [Int32], into cache: B.KeyValueCache, _ transformer: Transformer<B>
    ) throws {
        for start in stride(from: 0, to: prompt.count, by: transformer.maximumRowCount) {
            let chunk = Array(prompt[start..<min(start + transformer.maximumRowCount, prompt.count)])
            let rows = SequenceRows(cache: cache, rows: 0..<chunk.count, firstPosition: start)
            let isLast = start + chunk.count == prompt.count
            _ = try transformer.step(
                tokens: chunk, sequences: [rows], logitRows: isLast ? [chunk.count - 1] : [])
        }
    }
}

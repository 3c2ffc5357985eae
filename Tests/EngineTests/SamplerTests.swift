import Testing

@testable import Engine

@Suite struct SamplerTests {
    private func frequencies(_ options: SamplingOptions, _ logits: [Float], count: Int = 20_000) throws -> [Double] {
        var sampler = try Sampler(options, prompt: [])
        var counts = [Double](repeating: 0, count: logits.count)
        for _ in 0..<count { counts[try sampler.sample(logits)] += 1 / Double(count) }
        return counts
    }

    @Test("temperature 0 takes the largest logit, the first among equals")
    func greedy() throws {
        var sampler = try Sampler(SamplingOptions(), prompt: [])
        #expect(try sampler.sample([0, 3, 3, -1]) == 1)
        #expect(try sampler.sample([.nan, -2, -1, -.infinity]) == 2)
    }

    @Test("draws by the softmax of logits over temperature")
    func distribution() throws {
        let found = try frequencies(SamplingOptions(temperature: 2, seed: 7), [0, 2, 4])
        // exp(0), exp(1), exp(2), normalized.
        for (frequency, expected) in zip(found, [0.0900, 0.2447, 0.6652]) {
            #expect((frequency - expected).magnitude < 0.012)
        }
    }

    @Test("top-k, top-p and min-p keep only the likeliest tokens")
    func truncation() throws {
        let logits: [Float] = [0, 1, 2, 3]
        #expect(try frequencies(SamplingOptions(temperature: 1, topK: 2), logits)[0..<2] == [0, 0])
        // The softmax is 0.032, 0.087, 0.237, 0.644: two tokens are needed for 0.7.
        let topP = try frequencies(SamplingOptions(temperature: 1, topP: 0.7), logits)
        #expect(topP[0..<2] == [0, 0] && topP[2] > 0.2)
        let minP = try frequencies(SamplingOptions(temperature: 1, minP: 0.3), logits)
        #expect(minP[0..<2] == [0, 0] && minP[2] > 0.2)
    }

    @Test("of equally likely tokens the lowest ones are kept")
    func ties() throws {
        let logits = [Float](repeating: 1, count: 1000)
        for options in [SamplingOptions(temperature: 1, topK: 3), SamplingOptions(temperature: 1, topP: 0.003)] {
            #expect(try frequencies(options, logits, count: 100)[3...].allSatisfy { $0 == 0 })
        }
        #expect(try frequencies(SamplingOptions(temperature: 1, topP: 1e-9), [0, 2, 1], count: 100)[1] > 0.99)
    }

    @Test("a repetition penalty makes tokens of the prompt less likely")
    func repetitionPenalty() throws {
        var sampler = try Sampler(SamplingOptions(repetitionPenalty: 2), prompt: [0])
        #expect(try sampler.sample([3, 2, -1]) == 1)
        // Now 1 has occurred too: 1.5, 1, -1.
        #expect(try sampler.sample([3, 2, -1]) == 0)
    }

    @Test("the same seed draws the same tokens")
    func seeds() throws {
        func tokens(seed: UInt64) throws -> [Int] {
            var sampler = try Sampler(SamplingOptions(temperature: 1, seed: seed), prompt: [])
            return try (0..<50).map { _ in try sampler.sample([Float](repeating: 0, count: 100)) }
        }
        #expect(try tokens(seed: 1) == tokens(seed: 1))
        #expect(try tokens(seed: 1) != tokens(seed: 2))
    }

    @Test("logits that are not finite are an error", arguments: [[], [Float.nan], [-.infinity], [.infinity, 0]])
    func invalidLogits(_ logits: [Float]) throws {
        for temperature in [0.0, 1.0] {
            var sampler = try Sampler(SamplingOptions(temperature: temperature), prompt: [])
            #expect(throws: EngineError.self) { try sampler.sample(logits) }
        }
    }

    @Test(
        "options outside their range are an error that names the option",
        arguments: [
            (SamplingOptions(temperature: -1), "temperature"), (SamplingOptions(temperature: .nan), "temperature"),
            (SamplingOptions(topK: -1), "top-k"), (SamplingOptions(topP: 0), "top-p"),
            (SamplingOptions(topP: 1.1), "top-p"), (SamplingOptions(minP: 2), "min-p"),
            (SamplingOptions(repetitionPenalty: 0), "repetition-penalty"),
        ])
    func ranges(_ options: SamplingOptions, _ name: String) {
        #expect {
            try options.validate()
        } throws: { error in
            (error as? EngineError)?.description.hasPrefix(name) == true
        }
    }
}

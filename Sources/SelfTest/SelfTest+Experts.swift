internal import CUDAKernels

extension SelfTest {
    /// Rounding the output and the rows between the products to BF16 gives about 0.002.
    static let productBound = 0.005

    /// Who chooses which experts.
    enum Choices: String, CaseIterable {
        case random, oneExpert = "one expert for all", halfEmpty = "half of the experts empty"
    }

    func testExperts(_ onResult: (Result) throws -> Void) throws {
        for layer in ExpertLayer.all(isSmall: selection.isSmall, seed: seed)
        where selection.includes(layerNamed: layer.name) {
            let tested = try TestedLayer(layer, self)
            let most = layer.tokenCounts.last ?? 2
            func report(_ tokenCount: Int, _ what: String, _ error: Double, bound: Double = 0) throws {
                let name = "\(layer.name), \(tokenCount) tokens, \(what)"
                try onResult(Result(operation: "moe", name: name, error: error, bound: bound))
            }
            for tokenCount in layer.tokenCounts {
                for choices in tokenCount < 2 ? [.random] : Choices.allCases {
                    let error = try tested.deviation(tokenCount: tokenCount, choices)
                    try report(tokenCount, choices.rawValue, error, bound: Self.productBound)
                }
            }
            for tokenCount in layer.tokenCounts where tokenCount > 0 && tested.isStreamed(tokenCount: tokenCount) {
                let error = try tested.deviationOfEarlyRouting(tokenCount: tokenCount)
                try report(tokenCount, "routed early", error, bound: Self.productBound)
                guard tokenCount <= 8 else { continue }
                try report(
                    tokenCount, "routed by a launch of its own",
                    try tested.countOfDifferences(tokenCount: tokenCount))
            }
            for tokenCount in [min(4, layer.configuration.maximumTokenCount), most] where tokenCount > 1 {
                for value in [Float.nan, .infinity] {
                    let error = try tested.countOfLeaks(value, tokenCount: tokenCount)
                    try report(tokenCount, "\(value) in one", error)
                }
            }
            for tokenCount in [3, most] {
                let error = try tested.countOfChanges(tokenCount: tokenCount, replayCount: layer.replayCount)
                try report(tokenCount, "words changed in \(layer.replayCount) replays", error)
            }
            for tokenCount in [2, most] where !layer.configuration.hasSharedExpert {
                try report(tokenCount, "without experts", try tested.countOfWrongResiduals(tokenCount: tokenCount))
            }
        }
    }
}

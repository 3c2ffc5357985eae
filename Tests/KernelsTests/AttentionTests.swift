import Testing

@testable import Kernels

struct AttentionTests {
    /// Runs a case in steps of each size and compares it with the reference.
    private func expectReference(
        _ test: AttentionCase, stepSizes: [Int], instructionSets: [InstructionSet?] = [nil]
    ) throws {
        let reference = test.reference
        for instructionSet in instructionSets {
            let backend = try CPUBackend(threadCount: 2, instructionSet: instructionSet)
            for stepSize in stepSizes {
                let outputs = try test.outputs(stepSize: stepSize, on: backend)
                #expect(largestDifference(outputs, reference) < 1e-5, "step size \(stepSize)")
            }
        }
    }

    @Test(
        "masks as defined, on both sides of chunk, window and block borders",
        arguments: [
            AttentionMask.causal, .slidingWindow(1), .slidingWindow(16), .slidingWindow(64), .slidingWindow(100),
            .chunked(1), .chunked(16), .chunked(64), .chunked(100),
        ])
    func masks(mask: AttentionMask) throws {
        try expectReference(AttentionCase(headSize: 8, mask: mask, lengths: [131]), stepSizes: [1, 7, 131])
    }

    @Test(
        "shares key heads among query heads",
        arguments: [(1, 1), (3, 3), (2, 1), (5, 1), (8, 1), (10, 2), (40, 1), (6, 3)])
    func groups(queryHeadCount: Int, keyValueHeadCount: Int) throws {
        let test = AttentionCase(
            queryHeadCount: queryHeadCount, keyValueHeadCount: keyValueHeadCount, headSize: 4, lengths: [70])
        try expectReference(test, stepSizes: [1, 66])
    }

    @Test("takes every head size", arguments: [1, 2, 15, 16, 24, 33, 64, 80, 128, 256])
    func headSizes(headSize: Int) throws {
        var test = AttentionCase(queryHeadCount: 3, keyValueHeadCount: 1, headSize: headSize, lengths: [65])
        test.attention.scale = 1 / Float(headSize).squareRoot()
        try expectReference(
            test, stepSizes: [1, 65], instructionSets: InstructionSet.available)
    }

    @Test("lets sinks join the softmax")
    func sinks() throws {
        var test = AttentionCase(headSize: 4, lengths: [270])
        test.attention.sinks = [-3, 0.5, 4, 30]
        try expectReference(test, stepSizes: [1, 3, 270])
    }

    @Test("computes several sequences of different lengths in one step")
    func severalSequences() throws {
        let test = AttentionCase(headSize: 8, mask: .slidingWindow(50), lengths: [3, 130, 64, 1, 65])
        try expectReference(test, stepSizes: [1, 20, 200])
    }

    @Test("gives the same bits with any number of threads", arguments: [1, 50, 700])
    func threadCounts(stepSize: Int) throws {
        let test = AttentionCase(lengths: [700])
        let expected = try test.outputs(stepSize: stepSize, on: CPUBackend(threadCount: 1))
        for threadCount in 2...6 {
            let outputs = try test.outputs(stepSize: stepSize, on: CPUBackend(threadCount: threadCount))
            #expect(outputs == expected)
        }
    }

    @Test("gives the same when long contexts are cut by their keys")
    func splitKeys() throws {
        let backend = try CPUBackend(threadCount: 2)
        let test = AttentionCase(queryHeadCount: 2, keyValueHeadCount: 1, headSize: 4, lengths: [4500])
        let whole = try test.outputs(on: backend)[0]
        // The last rows, alone in their step, are cut into up to 18 parts.
        let split = try test.outputs(stepSize: 4490, on: backend)[0]
        let last = split[4490...].flatMap { $0 }
        #expect(largestDifference(last, whole[4490...].joined().map { Double($0) }) < 1e-5)
        #expect(last != whole[4490...].flatMap { $0 })
    }

    @Test("survives huge logits")
    func hugeLogits() throws {
        let backend = try CPUBackend(threadCount: 1)
        var test = AttentionCase(headSize: 8, lengths: [100])
        test.attention.scale = 1000
        #expect(largestDifference(try test.outputs(stepSize: 9, on: backend), test.reference) < 1e-2)
    }

    @Test("does not trap on NaN and infinity", arguments: [Float.nan, .infinity, -.infinity])
    func notNumbers(value: Float) throws {
        let backend = try CPUBackend(threadCount: 2)
        var test = AttentionCase(headSize: 8, lengths: [300])
        test.sequences[0][150][0] = value
        test.sequences[0][270] = Array(repeating: value, count: test.attention.projectedSize)
        for stepSize in [1, 300] {
            let outputs = try test.outputs(stepSize: stepSize, on: backend)[0]
            // What comes long before is unharmed.
            let areFinite = outputs[..<149].joined().allSatisfy { $0.isFinite }
            #expect(areFinite)
        }
    }
}

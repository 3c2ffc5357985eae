internal import CUDA
internal import CUDAKernels
internal import FP4
internal import Models

/// Counts of what must not be.
extension TestedLayer {
    /// How many values differ from the residual, or from zero without one, where no token has an expert, not
    /// even a shared one.
    func countOfWrongResiduals(tokenCount: Int) throws -> Double {
        let inputs = makeInputs(tokenCount: tokenCount, .random)
        try copy(inputs)
        let rows = try RoutedRows(
            HostRoutedRows(
                [[HostRoutedRows.Choice]](repeating: [], count: tokenCount), topK: configuration.topK,
                blockRowCounts: gpu.blockRowCounts(tokenCount: tokenCount)), on: test.stream)
        var wrong = 0
        for residual in [residual, nil] {
            try test.stream.fill(output, byte: 0xFF)
            try gpu.enqueue(
                tokenCount: tokenCount, input: input, rows: rows, residual: residual, output: output,
                workspace: workspace, on: test.stream)
            let right = residual == nil ? nil : inputs.residual.bits(pitch: pitch)
            for (index, value) in try test.stream.read(output.part(0..<tokenCount * pitch)).enumerated() {
                wrong += value == right?[index] ?? 0 ? 0 : 1
            }
        }
        return Double(wrong)
    }

    /// How many values change if a launch of its own routes the tokens.
    func countOfDifferences(tokenCount: Int) throws -> Double {
        try copy(makeInputs(tokenCount: tokenCount, .random))
        try enqueue(tokenCount)
        let together = try test.stream.read(output.part(0..<tokenCount * pitch))
        try test.stream.fill(output, byte: 0xFF)
        let route = try Route(
            configuration.routing, logits: .bfloat16, expertCount: configuration.expertCount,
            topK: configuration.topK, blockRowCounts: gpu.blockRowCounts(tokenCount: tokenCount))
        let rows = try RoutedRows(test.loader.context, route, tokenCount: tokenCount)
        try route.load(from: test.loader.sources, test.loader.cache, in: test.loader.context, tokenCount: tokenCount)
            .launch(
                on: test.stream, logits: logits, biases: routerBiases, tokenCount: tokenCount,
                factor: configuration.weightFactor, into: rows,
                workspace: RouteWorkspace(for: route, on: test.stream))
        try gpu.enqueue(
            tokenCount: tokenCount, input: input, rows: rows, residual: residual, output: output, workspace: workspace,
            on: test.stream)
        let apart = try test.stream.read(output.part(0..<tokenCount * pitch))
        return Double(zip(together, apart).count { $0 != $1 })
    }

    /// How many values of other tokens a NaN or an infinity in one token changes, and how many of that token's are finite
    /// where they should not be, or the other way round.
    func countOfLeaks(_ value: Float, tokenCount: Int) throws -> Double {
        var inputs = makeInputs(tokenCount: tokenCount, .random)
        try copy(inputs)
        try enqueue(tokenCount)
        let before = try test.stream.read(output.part(0..<tokenCount * pitch))
        inputs.tokens[1, 5] = value
        try copy(inputs)
        try enqueue(tokenCount)
        let after = try test.stream.read(output.part(0..<tokenCount * pitch))
        let expected = try rightOutput(inputs)
        var count = 0
        for token in 0..<tokenCount {
            for column in 0..<configuration.hiddenSize {
                let index = token * pitch + column
                let isRight =
                    token == 1
                    ? Float(BFloat16(bits: after[index])).isFinite
                        == expected[token * configuration.hiddenSize + column].isFinite
                    : before[index] == after[index]
                count += isRight ? 0 : 1
            }
        }
        return Double(count)
    }

    /// How many words of the results of a graph's replays, all of them, differ from those of a launch by itself.
    func countOfChanges(tokenCount: Int, replayCount: Int) throws -> Double {
        let stream = test.stream
        try copy(makeInputs(tokenCount: tokenCount, .random))
        try enqueue(tokenCount)
        let found = try output.part(0..<tokenCount * pitch)
        let first = try DeviceBuffer<UInt16>(stream.context, count: found.count)
        try stream.copy(found, to: first)
        let differences = try DeviceBuffer<UInt32>(stream.context, count: 1)
        try stream.fill(differences, byte: 0)
        let comparison = try WordComparison(test.loader)
        let graph = try stream.capture {
            try stream.fill(found, byte: 0xFF)
            try enqueue(tokenCount)
            try comparison.enqueue(found, first, addingTo: differences, on: stream)
        }
        for _ in 0..<replayCount { try graph.launch(on: stream) }
        return Double(try stream.read(differences)[0])
    }
}

import Kernels
import Models

extension KernelBenchmark {
    /// Copies of the matrix `[H, H]`.
    func makeMatrices() throws -> [Device.Linear] {
        let copyCount = try copyCount(ofByteCount: shape.linearByteCount, what: "the matrix")
        let matrix = shape.matrix("linear", rowCount: shape.hiddenSize, columnCount: shape.hiddenSize, seed: seed)
        return try (0..<copyCount).map { _ in
            try device.makeLinear([matrix], bias: nil)
        }
    }

    /// Copies of the layer, whose experts have equal weights at addresses of their own.
    func makeLayers() throws -> [Device.FeedForward] {
        let (byteCount, overflow) = shape.expertByteCount.multipliedReportingOverflow(by: shape.expertCount)
        let copyCount = try copyCount(ofByteCount: overflow ? .max : byteCount, what: "the layer")
        let experts = [ExpertWeights](repeating: shape.expert(seed: seed), count: shape.expertCount)
        return try (0..<copyCount).map { _ in
            try device.makeFeedForward(experts, activation: shape.activation)
        }
    }

    /// Multiplies tokens by a matrix.
    func linear(_ tokenCount: Int, _ matrices: [Device.Linear]) throws -> KernelRow {
        let input = try activations(tokenCount)
        let output = try activations(tokenCount, filledWith: .nan)
        let times = try repetition.measure { index in
            try device.apply(
                matrices[index % matrices.count], to: input, rowCount: tokenCount, accumulating: false, into: output)
            try device.waitForOperations(output)
        }
        try check(output, tokenCount: tokenCount, of: .linear)
        return KernelRow(
            .linear, tokenCount: tokenCount, work: .linear(shape, tokenCount: tokenCount), times: times,
            limits: limits)
    }

    /// Routes tokens to the experts of a layer.
    func moe(_ tokenCount: Int, _ layers: [Device.FeedForward]) throws -> KernelRow {
        let logits = RouterLogits(shape, tokenCount: tokenCount, seed: seed)
        let sets = try logits.sets.map { try device.makeActivations($0, columnCount: shape.expertCount) }
        let input = try activations(tokenCount)
        // The layer adds to it, so it cannot begin as NaN.
        let output = try activations(tokenCount, filledWith: 0)
        let times = try repetition.measure { index in
            try device.routeToExperts(
                layers[index % layers.count], routing: shape.routing,
                logits: sets[index / layers.count % sets.count], input: input, rowCount: tokenCount, addingTo: output)
            try device.waitForOperations(output)
        }
        try check(output, tokenCount: tokenCount, of: .moe)
        let work = KernelWork.moe(shape, tokenCount: tokenCount, distinctExpertCount: logits.distinctExpertCount)
        return KernelRow(
            .moe, tokenCount: tokenCount, distinctExpertCount: logits.distinctExpertCount, work: work, times: times,
            limits: limits)
    }
}

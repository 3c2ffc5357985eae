import Kernels
import Models

extension KernelBenchmark {
    /// Copies of the matrix `[H, H]`.
    func makeMatrices() throws -> [Device.Linear] {
        let copyCount = try copyCount(ofByteCount: shape.linearByteCount, what: "the matrix")
        let matrix = matrix("linear", rowCount: shape.hiddenSize, columnCount: shape.hiddenSize)
        return try (0..<copyCount).map { _ in
            try device.makeLinear([matrix], bias: nil)
        }
    }

    /// Copies of the layer, whose experts have equal weights at addresses of their own.
    func makeLayers() throws -> [Device.FeedForward] {
        let (byteCount, overflow) = shape.expertByteCount.multipliedReportingOverflow(by: shape.expertCount)
        let copyCount = try copyCount(ofByteCount: overflow ? .max : byteCount, what: "the layer")
        let (hidden, intermediate) = (shape.hiddenSize, shape.intermediateSize)
        let biases = ExpertWeights.Biases(
            gate: [Float](repeating: 0.125, count: intermediate), up: [Float](repeating: -0.125, count: intermediate),
            down: [Float](repeating: 0.125, count: hidden))
        let expert = ExpertWeights(
            gate: matrix("gate", rowCount: intermediate, columnCount: hidden),
            up: matrix("up", rowCount: intermediate, columnCount: hidden),
            down: matrix("down", rowCount: hidden, columnCount: intermediate), biases: shape.hasBiases ? biases : nil)
        let experts = [ExpertWeights](repeating: expert, count: shape.expertCount)
        return try (0..<copyCount).map { _ in
            try device.makeFeedForward(experts, activation: shape.activation)
        }
    }

    private func matrix(_ name: String, rowCount: Int, columnCount: Int) -> WeightMatrix {
        SyntheticWeights.matrix(
            name, rowCount: rowCount, columnCount: columnCount, format: shape.format.weights,
            seed: name.utf8.reduce(seed) { $0 &* 31 &+ UInt64($1) })
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
        let logits = routerLogits(tokenCount)
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

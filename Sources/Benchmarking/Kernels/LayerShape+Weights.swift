internal import Kernels
internal import Models

extension LayerShape {
    /// One expert with random weights.
    func expert(seed: UInt64) -> ExpertWeights {
        let biases = ExpertWeights.Biases(
            gate: [Float](repeating: 0.125, count: intermediateSize),
            up: [Float](repeating: -0.125, count: intermediateSize),
            down: [Float](repeating: 0.125, count: hiddenSize))
        return ExpertWeights(
            gate: matrix("gate", rowCount: intermediateSize, columnCount: hiddenSize, seed: seed),
            up: matrix("up", rowCount: intermediateSize, columnCount: hiddenSize, seed: seed),
            down: matrix("down", rowCount: hiddenSize, columnCount: intermediateSize, seed: seed),
            biases: hasBiases ? biases : nil)
    }

    /// A matrix in the layer's format; matrices of different names differ.
    func matrix(_ name: String, rowCount: Int, columnCount: Int, seed: UInt64) -> WeightMatrix {
        SyntheticWeights.matrix(
            name, rowCount: rowCount, columnCount: columnCount, format: format.weights,
            seed: name.utf8.reduce(seed) { $0 &* 31 &+ UInt64($1) })
    }
}

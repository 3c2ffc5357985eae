import FP4
package import Kernels
public import ModelFiles

/// Weights drawn from a seed, in the formats that a configuration announces: a model to measure without a download.
///
/// The same seed gives the same weights, whatever the order in which they are read. Their size keeps activations near
/// one, so that a forward pass stays finite.
public struct SyntheticWeights: WeightSource {
    private let quantization: QuantizationConfig
    private let seed: UInt64

    /// Quantized modules have the format of `quantization`; those it excludes, and embedding, head and routers, are BF16.
    public init(quantization: QuantizationConfig, seed: UInt64 = 0) {
        self.quantization = quantization
        self.seed = seed
    }

    func matrix(_ linear: LinearSpecification) throws -> WeightMatrix {
        Self.matrix(
            linear.name, rowCount: linear.outputSize, columnCount: linear.inputSize, format: format(of: linear),
            seed: seed(of: linear.name))
    }

    /// A weight matrix by itself.
    ///
    /// - Parameter columnCount: a multiple of the format's block size.
    package static func matrix(
        _ name: String, rowCount: Int, columnCount: Int, format: Format, seed: UInt64
    ) -> WeightMatrix {
        var random = SplitMix64(seed: seed)
        switch format {
        case .bfloat16:
            let elements = SyntheticBytes(rowCount: rowCount, columnCount: columnCount, entrySize: 2)
            elements.fillBFloat16(standardDeviation: 1 / Float(columnCount).squareRoot(), using: &random)
            return WeightMatrix(
                name: name, rowCount: rowCount, columnCount: columnCount,
                elements: elements.entries, encoding: .bfloat16,
                onDiscard: { _ = elements })
        case .float8:
            let codes = SyntheticBytes(rowCount: rowCount, columnCount: columnCount)
            // All but NaN; their root mean square is some 150.
            codes.fill(using: &random) { $0 & 0x7F == 0x7F ? $0 & 0x80 : $0 }
            return WeightMatrix(
                name: name, rowCount: rowCount, columnCount: columnCount, elements: codes.entries,
                encoding: .float8(scales: [1 / (150 * Float(columnCount).squareRoot())]), onDiscard: { _ = codes })
        case .nvfp4:
            let codes = SyntheticBytes(rowCount: rowCount, columnCount: columnCount / 2)
            codes.fill(using: &random)
            let scales = SyntheticBytes(rowCount: rowCount, columnCount: columnCount / NVFP4.blockSize)
            // E4M3 from 0.5 to 1.875.
            scales.fill(using: &random) { 0x30 + $0 & 0xF }
            return WeightMatrix(
                name: name, rowCount: rowCount, columnCount: columnCount,
                elements: codes.entries,
                encoding: .nvfp4(blockScales: scales.entries, globalScale: scale(columnCount: columnCount)),
                onDiscard: { _ = (codes, scales) })
        case .mxfp4:
            let codes = SyntheticBytes(rowCount: rowCount, columnCount: columnCount / 2)
            codes.fill(using: &random)
            let scales = SyntheticBytes(rowCount: rowCount, columnCount: columnCount / MXFP4.blockSize)
            let exponent = UInt8(clamping: 127 + Int(scale(columnCount: columnCount).exponent))
            scales.fill(using: &random) { exponent - $0 & 1 }
            return WeightMatrix(
                name: name, rowCount: rowCount, columnCount: columnCount,
                elements: codes.entries,
                encoding: .mxfp4(blockScales: scales.entries),
                onDiscard: { _ = (codes, scales) })
        }
    }

    func bias(_ linear: LinearSpecification) throws -> [Float]? {
        guard linear.hasBias else { return nil }
        return uniform(linear.name + ".bias", count: linear.outputSize, around: 0)
    }

    func vector(_ name: String, count: Int) throws -> [Float] { uniform(name, count: count, around: 1) }

    func experts(_ experts: ExpertsSpecification) throws -> [ExpertWeights] { try separateExperts(experts) }

    /// How the elements of a matrix are stored.
    package enum Format: String, Sendable { case bfloat16, float8, nvfp4, mxfp4 }

    private func format(of linear: LinearSpecification) -> Format {
        let isKeptByEveryRecipe = ["lm_head", "embed_tokens", ".router", ".mlp.gate"].contains {
            linear.name.hasSuffix($0)
        }
        guard !isKeptByEveryRecipe, !quantization.excludes(linear.name), let algorithm = quantization.algorithm else {
            return .bfloat16
        }
        if algorithm == .mxfp4 { return linear.inputSize.isMultiple(of: MXFP4.blockSize) ? .mxfp4 : .bfloat16 }
        return linear.inputSize.isMultiple(of: NVFP4.blockSize) ? .nvfp4 : .bfloat16
    }

    /// Uniform E2M1 codes have a root mean square of 2.9: with this factor a product keeps the size of its input.
    private static func scale(columnCount: Int) -> Float { 1 / (2.9 * Float(columnCount).squareRoot()) }

    private func uniform(_ name: String, count: Int, around center: Float) -> [Float] {
        var random = SplitMix64(seed: seed(of: name))
        return (0..<count).map { _ in center + Float.random(in: -0.1...0.1, using: &random) }
    }

    /// FNV-1a of the name, so that every tensor has numbers of its own.
    private func seed(of name: String) -> UInt64 {
        name.utf8.reduce(0xCBF2_9CE4_8422_2325 ^ seed) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }
}

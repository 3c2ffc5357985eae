internal import CUDA
internal import Kernels

extension MoEConfiguration {
    /// The routing, with the lists of row blocks that the expert kernels read: the second for the grouped product.
    func route(groupedRowCount: Int) throws(CUDAError) -> Route {
        try Route(
            routing, logits: logits, expertCount: expertCount, topK: topK,
            blockRowCounts: [MoEStream.largestExpertRowCount, groupedRowCount])
    }

    /// How launches of the latency backend route a few tokens by themselves; nil if rows are rounded first, by launches that
    /// need the routing.
    func streamedRoute() throws(CUDAError) -> Route? {
        activationPrecision == .nvfp4 ? nil : try route(groupedRowCount: MoEGemm.rowCounts.many)
    }

    /// The rows of a block that the grouped product has kernels for, rising: without those that only more tokens than the
    /// maximum take, which would be compiled for nothing.
    var groupedRowCounts: [Int] {
        let smaller = blockSizes.prefix { $0.meanRowCount * expertCount < maximumTokenCount * topK }
        return Set(smaller.map(\.rowCount) + [groupedRowCount(tokenCount: maximumTokenCount)]).sorted()
    }

    /// The rows of a block that are best for so many tokens in the grouped product.
    func groupedRowCount(tokenCount: Int) -> Int {
        let fitting = blockSizes.first { tokenCount * topK <= $0.meanRowCount * expertCount }
        return fitting?.rowCount ?? MoEGemm.rowCounts.many
    }

    /// The best blocks for up to so many rows an expert, rising; for more, the largest.
    ///
    /// Measured on an H100 (docs/kernels-gpu-notes.md). Experts have about as many rows as the mean, so somewhat more than that
    /// should fit into a block, or into two equal ones.
    private var blockSizes: [(meanRowCount: Int, rowCount: Int)] {
        let (few, middle, many) = MoEGemm.rowCounts
        // Weights that are stored as fragments gain nothing from items of six blocks; rounded rows are a choice of accuracy.
        guard format.isFP4, activationPrecision == .full else { return [(56, few)] }
        return [(56, few), (80, middle), (148, many), (180, middle)]
    }

    /// The blocks that so many rows take at most, however they are divided among the experts.
    func blockCount(tokenCount: Int, rowCount: Int) -> Int {
        let rows = tokenCount * topK
        return min(expertCount, rows) + rows / rowCount
    }

    /// Refuses sizes that no kernel has, and those that nothing could hold.
    func check() throws(CUDAError) {
        try Self.check(hiddenSize, "hidden size", 1...65536)
        try Self.check(intermediateSize, "intermediate size", 1...65536)
        try Self.check(expertCount, "number of experts", 1...512)
        try Self.check(sharedExpertCount, "number of shared experts", 0...16)
        try Self.check(topK, "top-k", 1...min(16, expertCount))
        try Self.check(maximumTokenCount, "maximum number of tokens", 1...Route.largestTokenCount)
        guard format != .float8 else {
            throw CUDAError(.unsupported, "MoE layer: FP8 weights are for linear layers")
        }
        try activationPrecision.requireOnGPU("MoE layer")
        guard activationPrecision == .full || format == .nvfp4 else {
            throw CUDAError(
                .unsupported, "MoE layer: NVFP4 activations need NVFP4 weights, not those in \(format.rawValue)")
        }
        // Kernels count slabs of weights, for each block of token rows, in 32 bits.
        let slabs = [shape.up, shape.down].compactMap { $0 }.map { $0.blockCount * $0.slabCount }.max() ?? 0
        guard maximumRowCount < (1 << 31) / slabs else {
            throw CUDAError(
                .unsupported, "MoE layer: \(maximumTokenCount) tokens are too many for experts of this size")
        }
        for (size, what) in [(hiddenSize, "hidden size"), (intermediateSize, "intermediate size")] {
            guard let blockSize = format.blockSize, size % blockSize != 0 else { continue }
            throw CUDAError(
                .unsupported, "MoE layer: \(what) \(size), expected a multiple of \(blockSize) for \(format.rawValue)")
        }
    }

    /// Refuses an expert whose shapes, format or biases are others.
    func check(_ expert: ExpertWeights) throws(CUDAError) {
        for (matrix, rows, columns) in [
            (activation.isGated ? expert.gate : expert.up, intermediateSize, hiddenSize),
            (expert.up, intermediateSize, hiddenSize), (expert.down, hiddenSize, intermediateSize),
        ] {
            guard matrix.rowCount == rows, matrix.columnCount == columns, matrix.format == format else {
                let found = matrix.format.map(\.rawValue) ?? "another format"
                throw CUDAError(
                    .unsupported,
                    "\(matrix.name): \(matrix.rowCount) x \(matrix.columnCount) in \(found), "
                        + "expected \(rows) x \(columns) in \(format.rawValue)")
            }
        }
        // One description of strides serves gate and up.
        guard !activation.isGated || expert.gate.hasStrides(of: expert.up) else {
            throw CUDAError(.unsupported, "\(expert.up.name): strides that differ from those of \(expert.gate.name)")
        }
        guard (expert.biases != nil) == hasBiases else {
            throw CUDAError(
                .unsupported, "\(expert.gate.name): expected an expert \(hasBiases ? "with" : "without") biases")
        }
        guard let biases = expert.biases else { return }
        guard biases.gate.count == intermediateSize, biases.up.count == intermediateSize,
            biases.down.count == hiddenSize
        else { throw CUDAError(.unsupported, "\(expert.gate.name): biases of another size than its rows") }
    }

    private static func check(_ value: Int, _ what: String, _ range: ClosedRange<Int>) throws(CUDAError) {
        guard range.contains(value) else {
            throw CUDAError(
                .unsupported, "MoE layer: \(what) \(value), expected \(range.lowerBound) to \(range.upperBound)")
        }
    }
}

extension ActivationPrecision {
    /// Refuses what no GPU kernel computes with.
    func requireOnGPU(_ layer: String) throws(CUDAError) {
        guard self == .int8 else { return }
        throw CUDAError(.unsupported, "\(layer): int8 activations are for CPUs, expected full or nvfp4")
    }
}

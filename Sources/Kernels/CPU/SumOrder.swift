import CCPUKernels

/// In which order the products of an operation are added.
enum SumOrder {
    /// Whatever is fastest for the shape.
    case fastest
    /// That of the W4A4 references: PyTorch's eager operations in float32, on x86.
    ///
    /// Weights are expanded to float32, products added one after the other by fused multiply-add, in runs of columns
    /// that are added up in the end. Quantizing activations turns the last bit of a sum into another code where a value
    /// lies at the border between two, so that only the same order leads to the same codes.
    case reference

    /// The columns of a run under ``reference``, a multiple of 64: what MKL's products of many rows take.
    static func runLength(_ columnCount: Int) -> Int {
        let longest = 192
        guard columnCount > longest, columnCount < 2 * longest else { return longest }
        return (columnCount / 2 + 63) / 64 * 64
    }

    /// The sum of a softmax's exponentials: from 16 values on in 16 lanes, at last halves onto halves.
    static func softmaxSum(_ values: some RandomAccessCollection<Float>) -> Float {
        guard values.count >= 16 else { return values.reduce(0, +) }
        var sums = SIMD16<Float>()
        for (index, value) in values.enumerated() { sums[index % 16] += value }
        let eight = sums.lowHalf + sums.highHalf
        let four = eight.lowHalf + eight.highHalf
        let two = four.lowHalf + four.highHalf
        return two.x + two.y
    }

    /// What sums with a matrix are multiplied by: its global scale, unless that is in the expanded weights.
    func outputScale(of matrix: MatrixBlocks) -> Float { self == .reference ? 1 : matrix.globalScale }
}

extension CPUBackend {
    /// The order for this precision of activations.
    var sumOrder: SumOrder { activationPrecision == .nvfp4 ? .reference : .fastest }

    /// The order of the products with a matrix that has its rows to itself.
    func sumOrder(of matrix: MatrixBlocks) -> SumOrder {
        matrix.shape.format == NIBBLE_MXFP4 ? .fastest : sumOrder
    }

    /// The order of the products with matrices that take the same rows: MXFP4's are expanded in longer runs of columns.
    func sumOrder(of matrices: [PackedMatrix]) -> SumOrder {
        matrices.contains { $0.shape.format == NIBBLE_MXFP4 } ? .fastest : sumOrder
    }
}

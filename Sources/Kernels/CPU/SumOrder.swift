import CCPUKernels

/// In which order the products of an operation are added.
enum SumOrder: Equatable {
    /// Whatever is fastest for the shape.
    case fastest
    /// That of the W4A4 references, eager float32 operations of PyTorch on x86, for a product of `rowCount` rows.
    ///
    /// Weights are expanded to float32. Products are added one after the other by fused multiply-add, in runs of columns
    /// that are added up in the end; those of few rows or outputs in fours. Quantizing activations turns the last bit of
    /// a sum into another code where a value lies at the border between two, so that only the same order leads to the
    /// same codes.
    case reference(rowCount: Int)

    /// The columns of a run under ``reference(rowCount:)``, a multiple of 64: what MKL takes.
    static func runLength(_ columnCount: Int) -> Int {
        let longest = 192
        guard columnCount > longest, columnCount < 2 * longest else { return longest }
        return (columnCount / 2 + 63) / 64 * 64
    }

    /// Whether products with a matrix are rounded and added in fours: MKL's way with up to 3 rows or 8 outputs.
    func takesFours(of shape: PackedShape) -> Bool {
        guard case .reference(let rowCount) = self else { return false }
        return rowCount <= 3 || shape.rowCount <= 8
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
    func outputScale(of matrix: MatrixBlocks) -> Float { self == .fastest ? matrix.globalScale : 1 }
}

extension CPUBackend {
    /// The order of a product of so many rows with matrices: MXFP4's are expanded in longer runs of columns.
    func sumOrder(rowCount: Int, of matrices: @autoclosure () -> [MatrixBlocks]) -> SumOrder {
        guard activationPrecision == .nvfp4, !matrices().contains(where: { $0.shape.format == NIBBLE_MXFP4 }) else {
            return .fastest
        }
        return .reference(rowCount: rowCount)
    }
}

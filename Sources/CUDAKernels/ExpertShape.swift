/// The products of an expert, or of a linear layer: what a kernel is compiled for.
struct ExpertShape: Sendable, Hashable {
    /// Gate and up, `[I, H]` each, in turns of 8 rows, or up alone; nil for a linear layer.
    let up: SlabLayout?
    /// Down `[H, I]`, or the linear layer's matrix.
    let down: SlabLayout
    /// The rows of down.
    let outputCount: Int
    /// The function between the products.
    let activation: ExpertActivation

    /// The products of an expert.
    init(_ format: WeightFormat, hiddenSize: Int, intermediateSize: Int, activation: ExpertActivation) {
        up = SlabLayout(format, rowCount: intermediateSize, columnCount: hiddenSize, isPaired: activation.isGated)
        down = SlabLayout(format, rowCount: hiddenSize, columnCount: intermediateSize)
        outputCount = hiddenSize
        self.activation = activation
    }

    /// A matrix `[rowCount, columnCount]`.
    init(_ format: WeightFormat, rowCount: Int, columnCount: Int) {
        up = nil
        down = SlabLayout(format, rowCount: rowCount, columnCount: columnCount)
        outputCount = rowCount
        activation = .swiglu
    }

    /// The elements from one row of the input to the next; those beyond the matrix's columns are zero.
    var inputPitch: Int { (up ?? down).paddedColumnCount }
    /// The same of the rows between the products.
    var hiddenPitch: Int { down.paddedColumnCount }
    /// The same of the output, so that it can be an input.
    var outputPitch: Int { outputCount.rounded(upTo: SlabLayout.columnCount) }
}

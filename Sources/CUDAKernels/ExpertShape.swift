/// The products of an expert, or of a linear layer: what a kernel is compiled for.
struct ExpertShape: Sendable, Hashable {
    /// The products of one launch.
    enum Products: Sendable, Hashable { case both, up, down }

    /// Gate and up, `[I, H]` each, in turns of 8 rows, or up alone; nil for a linear layer.
    let up: SlabLayout?
    /// Down `[H, I]`, or the linear layer's matrix.
    let down: SlabLayout
    /// The rows of down.
    let outputCount: Int
    /// The function between the products.
    let activation: ExpertActivation
    /// Those that a kernel computes.
    var products = Products.both

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

    /// What a kernel is told of the blocks of a product that it leaves out.
    var upBlockCount: Int { products == .down ? 0 : up?.blockCount ?? 0 }
    var downBlockCount: Int { products == .up ? 0 : down.blockCount }

    /// One of the products of an expert.
    func only(_ products: Products) -> ExpertShape {
        var shape = self
        shape.products = products
        return shape
    }

    /// The elements from one row of the input to the next; those beyond the matrix's columns are zero.
    var inputPitch: Int { (up ?? down).paddedColumnCount }
    /// The same of the rows between the products.
    var hiddenPitch: Int { down.paddedColumnCount }
    /// The same of the output, so that it can be an input.
    var outputPitch: Int { outputCount.rounded(upTo: SlabLayout.columnCount) }
}

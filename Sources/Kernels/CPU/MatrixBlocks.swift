import CCPUKernels

/// Where the blocks of a packed matrix lie: what the innermost loops need of it, without a reference to count.
///
/// Whoever uses it keeps the matrix alive.
struct MatrixBlocks {
    /// The shape and format.
    let shape: PackedShape
    /// The first block.
    let base: UnsafePointer<UInt8>
    /// Bytes from a block to the next.
    let stride: Int
    /// What multiplies every product.
    let globalScale: Float
    /// The encode scale with which W4A4 quantizes this matrix's input, if the checkpoint has one.
    let inputEncodeScale: Float?
    /// Added to the products, padded to whole blocks.
    let bias: UnsafePointer<Float>?

    /// A matrix and the bias that goes with it.
    init(_ matrix: PackedMatrix, bias: FloatBuffer?) {
        shape = matrix.shape
        base = matrix.block(0)
        stride = matrix.blockStride
        globalScale = matrix.globalScale
        inputEncodeScale = matrix.inputEncodeScale
        self.bias = bias.map { UnsafePointer($0.base) }
    }

    /// Sixteen rows.
    func block(_ index: Int) -> UnsafePointer<UInt8> { base + index * stride }

    /// The bias of the rows from a block on.
    func bias(fromBlock block: Int) -> UnsafePointer<Float>? { bias.map { $0 + block * PackedShape.blockRows } }
}

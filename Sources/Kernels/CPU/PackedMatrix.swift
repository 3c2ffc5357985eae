import CCPUKernels

/// A weight matrix `[rowCount, columnCount]` in the layout of the kernels: blocks of 16 interleaved rows.
///
/// docs/kernels.md describes the layout. The bytes are those of the checkpoint in another order, BF16's in 12 bits each
/// where they allow it, with rows of zeros that complete the last block.
struct PackedMatrix: Sendable {
    /// The tensor's name in the checkpoint, for messages.
    let name: String
    /// The shape and format, and what follows from them.
    let shape: PackedShape
    /// What multiplies every product: NVFP4's global scale, otherwise 1.
    let globalScale: Float
    /// The encode scale with which W4A4 quantizes this matrix's input, if the checkpoint has one.
    let inputEncodeScale: Float?
    let memory: LargePageMemory
    /// Bytes from the memory's start to the first block.
    let offset: Int
    /// Bytes from a block to the next.
    let blockStride: Int
    /// What blocks of compact BF16 refer to; nil for other formats.
    let asides: BlockAsides?

    /// The bytes of the blocks and of what they refer to, once they are packed.
    var byteCount: Int { shape.byteCount + (asides?.byteCount ?? 0) }

    /// Sixteen rows.
    func block(_ index: Int) -> UnsafePointer<UInt8> { UnsafePointer(memory.base + offset + index * blockStride) }

    /// Decodes one row, which has to exist.
    func readRow(_ row: Int, into output: UnsafeMutablePointer<Float>) {
        let rows = PackedShape.blockRows
        nibble_read_row(shape.format, block(row / rows), shape.columnCount, row % rows, output)
        if globalScale != 1 {
            for column in 0..<shape.columnCount { output[column] *= globalScale }
        }
    }
}

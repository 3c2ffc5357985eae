import CCPUKernels

/// The size of a packed matrix.
struct PackedShape: Sendable, Equatable {
    /// How the elements are stored.
    let format: nibble_format
    /// The number of outputs.
    let rowCount: Int
    /// The number of inputs.
    let columnCount: Int

    /// The rows that a block interleaves.
    static var blockRows: Int { Int(NIBBLE_BLOCK_ROWS) }

    /// Checks the shape of a matrix in a checkpoint.
    ///
    /// - Throws: ``KernelError`` if a block of scales is incomplete, or a count is not above zero or is out of reason.
    init(of matrix: WeightMatrix) throws(KernelError) {
        let (format, columnsPerScale): (nibble_format, Int) =
            switch matrix.encoding {
            case .nvfp4: (NIBBLE_NVFP4, 16)
            case .mxfp4: (NIBBLE_MXFP4, 32)
            case .bfloat16: (NIBBLE_BFLOAT16, 1)
            case .float16: (NIBBLE_FLOAT16, 1)
            case .float32: (NIBBLE_FLOAT32, 1)
            case .float8: throw KernelError("\(matrix.name): FP8 weights, which only GPUs multiply")
            }
        let limit = 1 << 30
        guard (1...limit).contains(matrix.rowCount), (1...limit).contains(matrix.columnCount) else {
            throw KernelError(
                "\(matrix.name): a weight matrix [\(matrix.rowCount), \(matrix.columnCount)], expected 1 to \(limit) "
                    + "rows and columns")
        }
        guard matrix.columnCount % columnsPerScale == 0 else {
            throw KernelError(
                "\(matrix.name): \(matrix.columnCount) columns, expected a multiple of \(columnsPerScale)")
        }
        rowCount = matrix.rowCount
        columnCount = matrix.columnCount
        var source = nibble_matrix_source(matrix, format: format)
        let isCompact = format == NIBBLE_BFLOAT16 && nibble_is_compact(&source)
        self.format = isCompact ? NIBBLE_COMPACT_BFLOAT16 : format
    }

    /// Whether the elements are 4-bit codes with block scales.
    var isQuantized: Bool { format == NIBBLE_NVFP4 || format == NIBBLE_MXFP4 }

    /// The number of blocks of 16 rows.
    var blockCount: Int { Self.blockCount(ofRows: rowCount) }

    /// The number of blocks that hold so many rows.
    static func blockCount(ofRows rowCount: Int) -> Int { (rowCount + blockRows - 1) / blockRows }

    /// The bytes of a block.
    var blockBytes: Int { nibble_block_bytes(format, columnCount) }

    /// The bytes of all blocks; below 2^63 by the limits on rows and columns.
    var byteCount: Int { blockCount * blockBytes }

    /// The rows of some blocks, as far as they exist.
    func rows(ofBlocks blocks: Range<Int>) -> Range<Int> {
        blocks.lowerBound * Self.blockRows..<min(blocks.upperBound * Self.blockRows, rowCount)
    }
}

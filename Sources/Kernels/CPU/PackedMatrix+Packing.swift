import CCPUKernels

extension PackedMatrix {
    /// A place for a matrix of a checkpoint, whose blocks are still to be packed.
    ///
    /// - Parameters:
    ///   - matrix: what will be packed.
    ///   - shape: its shape.
    ///   - memory: receives block `i` at `offset + i * blockStride`.
    init(placing matrix: WeightMatrix, shape: PackedShape, in memory: LargePageMemory, offset: Int, blockStride: Int) {
        self.init(
            name: matrix.name, shape: shape, globalScale: matrix.globalScale, inputEncodeScale: matrix.inputEncodeScale,
            memory: memory, offset: offset, blockStride: blockStride,
            asides: shape.format == NIBBLE_COMPACT_BFLOAT16 ? BlockAsides(blockCount: shape.blockCount) : nil)
    }

    /// Packs some blocks of the matrix.
    ///
    /// - Returns: the first block that cannot be packed, after which nothing is packed; nil if there is none.
    func pack(_ blocks: Range<Int>, of matrix: WeightMatrix) -> Int? {
        var source = nibble_matrix_source(matrix, format: shape.format)
        return blocks.first { index in
            let target = memory.base + offset + index * blockStride
            let row = index * PackedShape.blockRows
            guard let asides else { return !nibble_pack_block(&source, row, target) }
            return !nibble_pack_compact_block(&source, row, target, asides[index])
        }
    }

    /// Why a block cannot be packed.
    func failure(packing block: Int) -> KernelError {
        let rows = shape.rows(ofBlocks: block..<block + 1)
        let place = "rows \(rows.lowerBound) to \(rows.upperBound - 1)"
        return KernelError(
            asides == nil ? "\(name): a block scale in \(place) is NaN" : "\(name): no memory for \(place)")
    }
}

extension WeightMatrix {
    fileprivate var globalScale: Float {
        if case .nvfp4(_, let globalScale) = encoding { globalScale } else { 1 }
    }

    fileprivate var blockScales: StridedBytes? {
        switch encoding {
        case .nvfp4(let scales, _), .mxfp4(let scales): scales
        case .float32, .float16, .bfloat16, .float8: nil
        }
    }
}

extension nibble_matrix_source {
    /// A matrix that becomes one of the given format.
    init(_ matrix: WeightMatrix, format: nibble_format) {
        let scales = matrix.blockScales
        self.init(
            format: format, rows: matrix.rowCount, columns: matrix.columnCount,
            elements: matrix.elements.base.assumingMemoryBound(to: UInt8.self),
            element_row_stride: matrix.elements.rowStride, element_column_stride: matrix.elements.columnStride,
            scales: scales?.base.assumingMemoryBound(to: UInt8.self), scale_row_stride: scales?.rowStride ?? 0,
            scale_column_stride: scales?.columnStride ?? 0)
    }
}

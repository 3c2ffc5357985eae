import CCPUKernels

extension PackedMatrix {
    /// A place for a matrix of a checkpoint, whose blocks are still to be packed.
    ///
    /// - Parameters:
    ///   - matrix: what will be packed.
    ///   - shape: its shape.
    ///   - memory: receives block `i` at `offset + i * blockStride`.
    init(placing matrix: WeightMatrix, shape: PackedShape, in memory: WeightMemory, offset: Int, blockStride: Int) {
        self.init(
            name: matrix.name, shape: shape, globalScale: matrix.globalScale, inputEncodeScale: matrix.inputEncodeScale,
            memory: memory, offset: offset, blockStride: blockStride)
    }

    /// Packs some blocks of the matrix.
    ///
    /// - Returns: the first block with a scale that is NaN, after which nothing is packed; nil if there is none.
    func pack(_ blocks: Range<Int>, of matrix: WeightMatrix) -> Int? {
        var source = nibble_matrix_source(matrix, shape: shape)
        return blocks.first { index in
            let target = memory.base + offset + index * blockStride
            return !nibble_pack_block(&source, index * PackedShape.blockRows, target)
        }
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
    fileprivate init(_ matrix: WeightMatrix, shape: PackedShape) {
        let scales = matrix.blockScales
        self.init(
            format: shape.format, rows: shape.rowCount, columns: shape.columnCount,
            elements: matrix.elements.base.assumingMemoryBound(to: UInt8.self),
            element_row_stride: matrix.elements.rowStride, element_column_stride: matrix.elements.columnStride,
            scales: scales?.base.assumingMemoryBound(to: UInt8.self), scale_row_stride: scales?.rowStride ?? 0,
            scale_column_stride: scales?.columnStride ?? 0)
    }
}

import CCPUKernels
import Synchronization

extension PackedMatrix {
    /// Packs a matrix of a checkpoint in parallel, and discards it.
    ///
    /// - Parameters:
    ///   - matrix: what to read.
    ///   - shape: its shape.
    ///   - memory: receives block `i` at `offset + i * blockStride`.
    /// - Throws: ``KernelError`` if a block scale is NaN.
    init(
        packing matrix: WeightMatrix, shape: PackedShape, into memory: WeightMemory, offset: Int, blockStride: Int,
        pool: ThreadPool
    ) throws(KernelError) {
        self.init(
            name: matrix.name, shape: shape, globalScale: matrix.globalScale, inputEncodeScale: matrix.inputEncodeScale,
            memory: memory, offset: offset, blockStride: blockStride)
        let source = nibble_matrix_source(matrix, shape: shape)
        let failedBlock = Atomic<Int>(-1)
        pool.run(shape.blockCount) { block in
            let target = memory.base + offset + block * blockStride
            let isPacked = withUnsafePointer(to: source) {
                nibble_pack_block($0, block * PackedShape.blockRows, target)
            }
            if !isPacked { failedBlock.store(block, ordering: .relaxed) }
        }
        matrix.discard()
        let failed = failedBlock.load(ordering: .relaxed)
        guard failed < 0 else {
            let first = failed * PackedShape.blockRows
            throw KernelError(
                "\(matrix.name): a block scale in rows \(first) to \(first + shape.rowCount(ofBlock: failed) - 1) is NaN"
            )
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
        case .float32, .float16, .bfloat16: nil
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

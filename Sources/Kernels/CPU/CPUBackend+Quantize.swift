import FP4

extension CPUBackend {
    /// Quantizes activations to NVFP4, all rows of the output, and fills the padding of its scales with zeros.
    ///
    /// - Parameter encodeScale: the reciprocal of the global scale; finite and above zero.
    /// - Throws: ``KernelError`` if sizes disagree.
    public func quantize(
        _ input: CPUActivations, encodeScale: Float, into output: CPUQuantizedActivations
    ) throws(KernelError) {
        let layout = output.layout
        try require(input, rowCount: layout.rowCount)
        try require(input, columnCount: layout.columnCount * NVFP4.blockSize)
        let activations = UnsafeBufferPointer(start: input.row(0), count: layout.rowCount * input.rowStride)
        layout.clearPaddedTiles(of: output.scales)
        // About 16 operations a value: absolute maximum, product, rounding, packing.
        pool.runInRanges(layout.rowCount, operationCount: 16 * layout.rowCount * input.columnCount) { rows in
            NVFP4.quantize(
                rows: rows, ofActivations: activations, rowStride: input.rowStride, encodeScale: encodeScale,
                codes: output.codes, scales: output.scales, layout: layout)
        }
    }
}

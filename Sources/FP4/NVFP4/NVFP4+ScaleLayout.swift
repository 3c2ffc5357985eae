extension NVFP4 {
    /// Quantizes some rows of activations like ``quantize(activations:encodeScale:codes:scales:)``, with their block
    /// scales where a layout wants them.
    ///
    /// Rows can be shared among threads. Padding is not touched: ``ScaleLayout/clearPaddedTiles(of:)`` comes before.
    ///
    /// - Parameters:
    ///   - rows: the rows to quantize, of those of the layout.
    ///   - activations: all rows `[T, K]`, `K` a multiple of 16.
    ///   - rowStride: values from a row to the next, `K` or more.
    ///   - encodeScale: finite and above zero.
    ///   - codes: receives the rows' part of `[T, K / 2]` bytes.
    ///   - scales: receives the rows' E4M3 bytes, of ``ScaleLayout/byteCount``.
    ///   - layout: of one matrix of `T` rows and `K / 16` columns.
    public static func quantize(
        rows: Range<Int>, ofActivations activations: UnsafeBufferPointer<Float>, rowStride: Int, encodeScale: Float,
        codes: UnsafeMutableRawBufferPointer, scales: UnsafeMutableRawBufferPointer, layout: ScaleLayout
    ) {
        let blockCount = layout.columnCount
        precondition(
            layout.batchCount == 1 && (0...layout.rowCount).contains(rows.upperBound) && rows.lowerBound >= 0
                && activations.count == layout.rowCount * rowStride && rowStride >= blockCount * blockSize
                && codes.count == layout.rowCount * blockCount * blockSize / 2 && scales.count == layout.byteCount,
            "one layout for activations, codes and scales")
        guard blockCount > 0 else { return }
        let source = UnsafeRawBufferPointer(activations)
        let tile = layout.tiling.tileSize
        // The scales of a row's blocks lie in runs, one in each tile.
        let (runLength, runStride) =
            layout.tiling == .linear ? (blockCount, 0) : (tile.columnCount, tile.rowCount * tile.columnCount)
        for row in rows {
            var runStart = layout.offset(of: ScaleLayout.Position(row: row, column: 0))
            for firstBlock in stride(from: 0, to: blockCount, by: runLength) {
                for block in firstBlock..<min(firstBlock + runLength, blockCount) {
                    let index = row * blockCount + block
                    let offset = 4 * row * rowStride + 64 * block
                    let values = source.loadUnaligned(fromByteOffset: offset, as: SIMD16<Float>.self)
                    let quantized = Block(activations: values, encodeScale: encodeScale)
                    codes.storeBytes(of: quantized.codes, toByteOffset: 8 * index, as: SIMD8<UInt8>.self)
                    scales[runStart + block - firstBlock] = quantized.scale.bits
                }
                runStart += runStride
            }
        }
    }
}

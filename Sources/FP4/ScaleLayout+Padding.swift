extension ScaleLayout {
    /// Writes zeros to every tile that holds padding, before the scales are written.
    ///
    /// Only the last row of tiles and, where columns are padded, the last column of tiles are touched.
    ///
    /// - Parameter scales: ``byteCount`` bytes.
    public func clearPaddedTiles(of scales: UnsafeMutableRawBufferPointer) {
        precondition(scales.count == byteCount, "as many bytes as the layout has")
        let tile = tiling.tileSize
        let tileByteCount = tile.rowCount * tile.columnCount
        let tileRowByteCount = tile.rowCount * paddedColumnCount
        for batch in 0..<batchCount {
            let end = (batch + 1) * batchStride
            if paddedColumnCount > columnCount {
                for tileEnd in stride(from: batch * batchStride + tileRowByteCount, through: end, by: tileRowByteCount)
                {
                    scales[tileEnd - tileByteCount..<tileEnd].clear()
                }
            }
            if paddedRowCount > rowCount { scales[end - tileRowByteCount..<end].clear() }
        }
    }
}

extension Slice<UnsafeMutableRawBufferPointer> {
    fileprivate func clear() {
        UnsafeMutableRawBufferPointer(rebasing: self).initializeMemory(as: UInt8.self, repeating: 0)
    }
}

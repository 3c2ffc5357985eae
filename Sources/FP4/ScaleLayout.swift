/// Where the block scale of a row and block column lies in memory, and back.
///
/// Checkpoints store scales row-major (``Tiling/linear``). Tensor cores want them in tiles of rows by four columns
/// (cuBLAS, "1D block scaling factors layout"; FlashInfer `quantization_utils.cuh`), padded to whole tiles:
///
///     linear   row * columns + column
///     128x4    tile * 512 + row % 32 * 16 + row % 128 / 32 * 4 + column % 4
///     8x4      tile * 32 + row % 8 * 4 + column % 4
///
/// with `tile = row / tileRows * tilesAcross + column / 4`. Matrices of a batch follow each other, each padded.
public struct ScaleLayout: Hashable, Sendable {
    /// The order of scales.
    public enum Tiling: Hashable, Sendable, CaseIterable {
        /// Row-major, without padding.
        case linear
        /// Tiles of 128 rows and 4 columns, whose rows 32 apart are neighbours.
        case tiles128x4
        /// Row-major tiles of 8 rows and 4 columns, for few tokens.
        case tiles8x4

        /// Rows and columns of a tile.
        public var tileSize: (rowCount: Int, columnCount: Int) {
            switch self {
            case .linear: (1, 1)
            case .tiles128x4: (128, 4)
            case .tiles8x4: (8, 4)
            }
        }
    }

    /// A scale's place in a batch of matrices of scales.
    public struct Position: Hashable, Sendable {
        /// The matrix.
        public var batch: Int
        /// The row: an output feature or a token.
        public var row: Int
        /// The column: an element's index along the contraction dimension, over the block size.
        public var column: Int

        /// A place in a batch of matrices, or in the only matrix.
        public init(batch: Int = 0, row: Int, column: Int) {
            self.batch = batch
            self.row = row
            self.column = column
        }
    }

    /// The order of scales.
    public let tiling: Tiling
    /// The number of matrices.
    public let batchCount: Int
    /// Rows of a matrix.
    public let rowCount: Int
    /// Columns of a matrix: blocks in a row.
    public let columnCount: Int
    /// Rows of a matrix with the padding.
    public let paddedRowCount: Int
    /// Columns of a matrix with the padding.
    public let paddedColumnCount: Int
    /// Bytes of a matrix with the padding; the distance between the matrices of a batch.
    public let batchStride: Int
    /// Bytes of the whole batch with the padding.
    public let byteCount: Int

    /// The layout of a batch of matrices of scales, or nil if a size is negative or the bytes exceed an `Int`.
    public init?(_ tiling: Tiling, batchCount: Int = 1, rowCount: Int, columnCount: Int) {
        let tile = tiling.tileSize
        guard batchCount >= 0, rowCount >= 0, columnCount >= 0,
            let paddedRowCount = rowCount.roundedUp(toMultipleOf: tile.rowCount),
            let paddedColumnCount = columnCount.roundedUp(toMultipleOf: tile.columnCount)
        else { return nil }
        let (batchStride, strideOverflow) = paddedRowCount.multipliedReportingOverflow(by: paddedColumnCount)
        let (byteCount, countOverflow) = batchStride.multipliedReportingOverflow(by: batchCount)
        guard !strideOverflow, !countOverflow else { return nil }
        self.tiling = tiling
        self.batchCount = batchCount
        self.rowCount = rowCount
        self.columnCount = columnCount
        self.paddedRowCount = paddedRowCount
        self.paddedColumnCount = paddedColumnCount
        self.batchStride = batchStride
        self.byteCount = byteCount
    }

    /// The byte that holds a scale.
    ///
    /// - Parameter position: a place inside the matrices.
    public func offset(of position: Position) -> Int {
        precondition(contains(position), "a scale outside its matrix")
        let (row, column) = (position.row, position.column)
        let tile = tiling.tileSize
        let tileIndex = row / tile.rowCount * (paddedColumnCount / tile.columnCount) + column / tile.columnCount
        let inTile =
            switch tiling {
            case .linear: 0
            case .tiles128x4: row % 32 * 16 + row % 128 / 32 * 4 + column % 4
            case .tiles8x4: row % 8 * 4 + column % 4
            }
        return position.batch * batchStride + tileIndex * (tile.rowCount * tile.columnCount) + inTile
    }

    /// The scale that a byte holds, or nil if the byte is padding or outside.
    public func position(at offset: Int) -> Position? {
        guard offset >= 0, offset < byteCount else { return nil }
        let (batch, inMatrix) = offset.quotientAndRemainder(dividingBy: batchStride)
        let tile = tiling.tileSize
        let (tileIndex, inTile) = inMatrix.quotientAndRemainder(dividingBy: tile.rowCount * tile.columnCount)
        let (tileRow, tileColumn) = tileIndex.quotientAndRemainder(dividingBy: paddedColumnCount / tile.columnCount)
        let (row, column) =
            switch tiling {
            case .linear: (0, 0)
            case .tiles128x4: (inTile / 16 + inTile % 16 / 4 * 32, inTile % 4)
            case .tiles8x4: (inTile / 4, inTile % 4)
            }
        let position = Position(
            batch: batch, row: tileRow * tile.rowCount + row, column: tileColumn * tile.columnCount + column)
        return contains(position) ? position : nil
    }

    private func contains(_ position: Position) -> Bool {
        0..<batchCount ~= position.batch && 0..<rowCount ~= position.row && 0..<columnCount ~= position.column
    }
}

extension Int {
    /// The least multiple of a factor that is not below a number that is not negative, or nil if it exceeds an `Int`.
    fileprivate func roundedUp(toMultipleOf factor: Int) -> Int? {
        let remainder = self % factor
        let (result, overflow) = addingReportingOverflow(remainder == 0 ? 0 : factor - remainder)
        return overflow ? nil : result
    }
}

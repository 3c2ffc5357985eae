/// The arrangement of one matrix, or of one gate and up pair, in slabs: blocks of 64 weight rows, each a run of slabs of
/// 64 columns (`common/tiles.cuh`).
struct SlabLayout: Sendable, Hashable {
    static let rowCount = 64
    static let columnCount = 64

    let format: WeightFormat
    /// Blocks of 64 weight rows; those of a pair hold 32 rows of each matrix.
    let blockCount: Int
    /// Slabs along the contracted dimension.
    let slabCount: Int

    /// The arrangement of a matrix `[rowCount, columnCount]`, or of two of them.
    init(_ format: WeightFormat, rowCount: Int, columnCount: Int, isPaired: Bool = false) {
        let rowsOfBlock = isPaired ? Self.rowCount / 2 : Self.rowCount
        self.format = format
        blockCount = (rowCount + rowsOfBlock - 1) / rowsOfBlock
        slabCount = (columnCount + Self.columnCount - 1) / Self.columnCount
    }

    /// The bytes of all slabs; nil if they are too many to count.
    var byteCount: Int? {
        let (slabs, isTooLarge) = blockCount.multipliedReportingOverflow(by: slabCount)
        let (bytes, isStillTooLarge) = slabs.multipliedReportingOverflow(by: format.slabByteCount)
        return isTooLarge || isStillTooLarge ? nil : bytes
    }

    /// The columns of all slabs: a row of activations has so many, those beyond the matrix's own zero.
    var paddedColumnCount: Int { slabCount * Self.columnCount }
}

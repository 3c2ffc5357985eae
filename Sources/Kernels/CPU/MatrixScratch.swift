/// What the products of one operation work with, kept for its memory.
struct MatrixScratch {
    /// Rows that were weighted or quantized, digits and tiles, and hidden rows.
    var activations = GrowingBuffer()
    /// The lanes' panels and sums.
    var lanes = GrowingBuffer()
    /// The rows that enter products.
    let inputRows = StepMemory<UnsafePointer<Float>>()
    /// The digits of the rows that enter products.
    let inputDigits = StepMemory<UnsafePointer<UInt8>>()
    /// For each row of a step, where its digits are.
    let digitOwners = StepMemory<Int32>()
    /// The rows that products are written to.
    let outputRows = StepMemory<UnsafeMutablePointer<Float>>()
}

/// One thread's panel, and the sums of some blocks of one or two matrices.
struct LaneScratch {
    let panel: UnsafeMutablePointer<Float>
    let sums: UnsafeMutablePointer<Float>
    let upSums: UnsafeMutablePointer<Float>

    /// Sums of 16 values that a lane has room for, unless it takes more rows.
    private static let leastSumCount = 32

    /// Values for a lane that takes up to `rowCount` rows.
    static func valueCount(rowCount: Int) -> Int {
        PackedShape.blockRows * (MatrixRows.panelDepth + 2 * max(rowCount, leastSumCount))
    }

    /// Runs of blocks that there is room for the sums of, if so many rows enter each.
    static func runs(of blocks: Range<Int>, rowCount: Int) -> some Sequence<Range<Int>> {
        let count = max(1, leastSumCount / rowCount)
        return stride(from: blocks.lowerBound, to: blocks.upperBound, by: count).lazy.map { first in
            first..<min(first + count, blocks.upperBound)
        }
    }

    /// The memory of one of the lanes that `base` holds.
    init(base: UnsafeMutablePointer<Float>, lane: Int, rowCount: Int) {
        panel = base + lane * Self.valueCount(rowCount: rowCount)
        sums = panel + PackedShape.blockRows * MatrixRows.panelDepth
        upSums = sums + PackedShape.blockRows * max(rowCount, Self.leastSumCount)
    }
}

/// What the products of one operation work with, kept for its memory.
struct MatrixScratch {
    /// Rows that were weighted or quantized, digits and tiles, and hidden rows.
    var activations = GrowingBuffer()
    /// The lanes' panels and sums.
    var lanes = GrowingBuffer()
    /// The rows that enter products.
    let inputRows = StepMemory<UnsafePointer<Float>>()
    /// The rows that products are written to.
    let outputRows = StepMemory<UnsafeMutablePointer<Float>>()
}

/// One thread's panel, and the sums of a block of one or two matrices.
struct LaneScratch {
    let panel: UnsafeMutablePointer<Float>
    let sums: UnsafeMutablePointer<Float>
    let upSums: UnsafeMutablePointer<Float>

    /// Values for a lane that takes up to `rowCount` rows.
    static func valueCount(rowCount: Int) -> Int {
        PackedShape.blockRows * (MatrixRows.panelDepth + 2 * rowCount)
    }

    /// The memory of one of the lanes that `base` holds.
    init(base: UnsafeMutablePointer<Float>, lane: Int, rowCount: Int) {
        panel = base + lane * Self.valueCount(rowCount: rowCount)
        sums = panel + PackedShape.blockRows * MatrixRows.panelDepth
        upSums = sums + PackedShape.blockRows * rowCount
    }
}

/// Memory for the rows that enter a product: rows that were changed, if any are, and as much for digits or tiles.
struct InputArea {
    /// The digits or tiles, then the changed rows, each `[capacity, stride]`.
    let memory: UnsafeMutablePointer<Float>
    /// The number of rows.
    let capacity: Int
    /// Whether there is memory for changed rows.
    let changesRows: Bool
    /// Values from a row to the next, a multiple of 16.
    let stride: Int
    /// The rows that enter the product, `[capacity]`.
    let rows: UnsafeMutablePointer<UnsafePointer<Float>>
    /// The digits of the rows, `[capacity]`.
    let digits: UnsafeMutablePointer<UnsafePointer<UInt8>>

    /// Values from a row of `columnCount` to the next, which starts at a multiple of 64 bytes.
    static func stride(columnCount: Int) -> Int { (columnCount + 15) & ~15 }

    /// The values that the memory of an area holds.
    static func valueCount(capacity: Int, columnCount: Int, changesRows: Bool) -> Int {
        (changesRows ? 2 : 1) * capacity * stride(columnCount: columnCount)
    }

    /// An area whose rows have digits of their own.
    init(
        memory: UnsafeMutablePointer<Float>, capacity: Int, columnCount: Int, changesRows: Bool,
        rows: UnsafeMutablePointer<UnsafePointer<Float>>, digits: UnsafeMutablePointer<UnsafePointer<UInt8>>
    ) {
        self.memory = memory
        self.capacity = capacity
        self.changesRows = changesRows
        self.rows = rows
        self.digits = digits
        stride = Self.stride(columnCount: columnCount)
        for index in 0..<capacity {
            digits[index] = UnsafeRawPointer(prepared(index)).assumingMemoryBound(to: UInt8.self)
        }
    }

    /// Where a changed row is written.
    func changedRow(_ index: Int) -> UnsafeMutablePointer<Float> {
        precondition(changesRows)
        return memory + (capacity + index) * stride
    }

    /// Where the digits or tiles of the rows from `index` on are written.
    func prepared(_ index: Int) -> UnsafeMutablePointer<Float> { memory + index * stride }
}

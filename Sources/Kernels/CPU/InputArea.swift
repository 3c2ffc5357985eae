/// Memory for the rows that enter a product: rows that were changed, then as much for digits or tiles.
struct InputArea {
    /// The changed rows, then digits or tiles, each `[capacity, stride]`.
    let memory: UnsafeMutablePointer<Float>
    /// The number of rows.
    let capacity: Int
    /// Values from a row to the next, a multiple of 16.
    let stride: Int
    /// The rows that enter the product, `[capacity]`.
    let rows: UnsafeMutablePointer<UnsafePointer<Float>>
    /// The digits of the rows, `[capacity]`.
    let digits: UnsafeMutablePointer<UnsafePointer<UInt8>>

    /// Values from a row of `columnCount` to the next, which starts at a multiple of 64 bytes.
    static func stride(columnCount: Int) -> Int { (columnCount + 15) & ~15 }

    /// The values that the memory of an area holds.
    static func valueCount(capacity: Int, columnCount: Int) -> Int { 2 * capacity * stride(columnCount: columnCount) }

    /// An area whose rows have digits of their own.
    init(
        memory: UnsafeMutablePointer<Float>, capacity: Int, columnCount: Int,
        rows: UnsafeMutablePointer<UnsafePointer<Float>>, digits: UnsafeMutablePointer<UnsafePointer<UInt8>>
    ) {
        self.memory = memory
        self.capacity = capacity
        self.rows = rows
        self.digits = digits
        stride = Self.stride(columnCount: columnCount)
        for index in 0..<capacity {
            digits[index] = UnsafeRawPointer(prepared(index)).assumingMemoryBound(to: UInt8.self)
        }
    }

    /// Where a changed row is written.
    func changedRow(_ index: Int) -> UnsafeMutablePointer<Float> { memory + index * stride }

    /// Where the digits or tiles of the rows from `index` on are written.
    func prepared(_ index: Int) -> UnsafeMutablePointer<Float> { memory + (capacity + index) * stride }
}

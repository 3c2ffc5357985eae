/// Memory for the rows that enter a product: for digits or tiles, and for rows that were changed, if any are.
struct InputArea {
    /// The digits or tiles, `[capacity, stride]`.
    private let prepared: UnsafeMutablePointer<Float>
    /// The changed rows, `[capacity, stride]`.
    private let changed: UnsafeMutablePointer<Float>
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

    /// An area whose rows have digits of their own, and where changed rows lie behind them unless they lie elsewhere.
    init(
        memory: UnsafeMutablePointer<Float>, changedRows: UnsafeMutablePointer<Float>? = nil, capacity: Int,
        columnCount: Int,
        rows: UnsafeMutablePointer<UnsafePointer<Float>>, digits: UnsafeMutablePointer<UnsafePointer<UInt8>>
    ) {
        self.rows = rows
        self.digits = digits
        stride = Self.stride(columnCount: columnCount)
        prepared = memory
        changed = changedRows ?? memory + capacity * stride
        for index in 0..<capacity {
            digits[index] = UnsafeRawPointer(prepared(index)).assumingMemoryBound(to: UInt8.self)
        }
    }

    /// Where a changed row is written.
    func changedRow(_ index: Int) -> UnsafeMutablePointer<Float> { changed + index * stride }

    /// Where the digits or tiles of the rows from `index` on are written.
    func prepared(_ index: Int) -> UnsafeMutablePointer<Float> { prepared + index * stride }
}

/// Memory for the rows that enter a product: for digits or tiles, and for rows that were changed, if any are.
struct InputArea {
    /// The tiles, `[capacity, stride]`.
    private let prepared: UnsafeMutablePointer<Float>
    /// The changed rows, `[capacity, stride]`.
    private let changed: UnsafeMutablePointer<Float>
    /// Values from a row to the next, a multiple of 16.
    let stride: Int
    /// The rows that enter the product, `[capacity]`.
    let rows: UnsafeMutablePointer<UnsafePointer<Float>>
    /// The digits of the rows, `[capacity]`.
    let digits: UnsafeMutablePointer<UnsafePointer<UInt8>>
    /// How rows are written as digits.
    let digitFormat: DigitFormat
    private let digitMemory: UnsafeRawPointer
    private let digitRowBytes: Int

    /// Values from a row of `columnCount` to the next, which starts at a multiple of 64 bytes.
    static func stride(columnCount: Int) -> Int { (columnCount + 15) & ~15 }

    /// The values that the memory of an area holds.
    static func valueCount(capacity: Int, columnCount: Int, changesRows: Bool) -> Int {
        (changesRows ? 2 : 1) * capacity * stride(columnCount: columnCount)
    }

    /// An area whose rows have digits of their own, in the memory for tiles unless they have another, and where changed rows
    /// lie behind them unless they lie elsewhere.
    init(
        memory: UnsafeMutablePointer<Float>, digitMemory: UnsafeMutablePointer<Float>? = nil,
        changedRows: UnsafeMutablePointer<Float>? = nil, capacity: Int, columnCount: Int, digitFormat: DigitFormat,
        rows: UnsafeMutablePointer<UnsafePointer<Float>>, digits: UnsafeMutablePointer<UnsafePointer<UInt8>>
    ) {
        self.rows = rows
        self.digits = digits
        stride = Self.stride(columnCount: columnCount)
        prepared = memory
        changed = changedRows ?? memory + capacity * stride
        self.digitFormat = digitFormat
        self.digitMemory = UnsafeRawPointer(digitMemory ?? memory)
        digitRowBytes = digitFormat.rowBytes(columnCount: columnCount)
        for index in 0..<capacity { digits[index] = ownDigits(index) }
    }

    /// Where the digits of a row are written, unless another product has them.
    func ownDigits(_ index: Int) -> UnsafePointer<UInt8> {
        (digitMemory + index * digitRowBytes).assumingMemoryBound(to: UInt8.self)
    }

    /// Where a changed row is written.
    func changedRow(_ index: Int) -> UnsafeMutablePointer<Float> { changed + index * stride }

    /// Where the tiles of the rows from `index` on are written.
    func prepared(_ index: Int) -> UnsafeMutablePointer<Float> { prepared + index * stride }
}

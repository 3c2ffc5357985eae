/// Memory for the rows that enter a product: for digits or tiles, and for rows that were changed, if any are.
struct InputArea {
    /// The tiles, `[capacity, stride]`.
    private let prepared: UnsafeMutablePointer<Float>
    /// The changed rows, `[capacity, stride]`.
    private let changed: UnsafeMutablePointer<Float>
    /// Values from a row to the next.
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
    static func stride(columnCount: Int) -> Int { RowStride.values(columnCount) }

    /// The values that the memory of an area holds.
    static func valueCount(
        capacity: Int, columnCount: Int, changesRows: Bool, digitFormat: DigitFormat
    ) -> Int {
        (changesRows ? 2 : 1) * capacity * stride(columnCount: columnCount)
            + digitValueCount(capacity: capacity, columnCount: columnCount, digitFormat: digitFormat)
    }

    /// The values that take as much memory as the digits, where these have memory of their own.
    ///
    /// Three digits of a row lie in the memory of its tiles. Those of one are closer together, and would lie in the memory
    /// of other rows' tiles, which an expert without block scales may need.
    static func digitValueCount(capacity: Int, columnCount: Int, digitFormat: DigitFormat) -> Int {
        digitFormat == .exact ? 0 : capacity * digitFormat.rowBytes(columnCount: columnCount) / 4
    }

    /// An area whose rows have digits of their own, behind the tiles unless they lie elsewhere, and where changed rows lie
    /// behind both unless they lie elsewhere.
    init(
        memory: UnsafeMutablePointer<Float>, digitMemory: UnsafeMutablePointer<Float>? = nil,
        changedRows: UnsafeMutablePointer<Float>? = nil, capacity: Int, columnCount: Int, digitFormat: DigitFormat,
        rows: UnsafeMutablePointer<UnsafePointer<Float>>, digits: UnsafeMutablePointer<UnsafePointer<UInt8>>
    ) {
        self.rows = rows
        self.digits = digits
        stride = Self.stride(columnCount: columnCount)
        prepared = memory
        let digitCount = Self.digitValueCount(capacity: capacity, columnCount: columnCount, digitFormat: digitFormat)
        let behindTiles = memory + capacity * stride
        changed = changedRows ?? behindTiles + digitCount
        self.digitFormat = digitFormat
        self.digitMemory = UnsafeRawPointer(digitMemory ?? (digitFormat == .exact ? memory : behindTiles))
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

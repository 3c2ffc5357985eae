/// Bytes of a matrix that need not be contiguous: entry (row, column) lies at `base + row * rowStride + column * columnStride`.
///
/// One description covers every published layout: rows one after another, ModelOpt's transposed experts
/// `[E, in / 2, out]`, and gpt-oss's interleaved gate and up rows.
public struct StridedBytes: @unchecked Sendable {
    /// The entry (0, 0).
    public let base: UnsafeRawPointer
    /// Bytes from one output to the next.
    public let rowStride: Int
    /// Bytes from one entry of an output to its next: an element, a packed pair of codes, or a block scale.
    public let columnStride: Int
    /// Whose pages the bytes lie in, kept alive; nil for memory that does not come and go in parts.
    public let pages: (any PagedBytes)?

    /// Describes bytes that stay valid and unchanged as long as the description is used.
    public init(base: UnsafeRawPointer, rowStride: Int, columnStride: Int, pages: (any PagedBytes)? = nil) {
        self.base = base
        self.rowStride = rowStride
        self.columnStride = columnStride
        self.pages = pages
    }

    /// The bytes from the first entry of some rows to their last one, with whatever lies between them.
    ///
    /// - Parameters:
    ///   - rows: a range that is not empty.
    ///   - columnCount: the number of entries of a row.
    ///   - entrySize: the bytes of an entry.
    func span(ofRows rows: Range<Int>, columnCount: Int, entrySize: Int) -> UnsafeRawBufferPointer {
        let byteCount = (rows.count - 1) * rowStride + (columnCount - 1) * columnStride + entrySize
        return UnsafeRawBufferPointer(start: base + rows.lowerBound * rowStride, count: byteCount)
    }
}

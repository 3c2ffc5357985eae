/// A weight matrix `[rowCount, columnCount]` as it lies in a checkpoint; rows are outputs, columns are inputs.
///
/// It is a view: a backend reads it once, keeps its own arrangement of the same 4-bit codes, and calls ``discard()``.
public struct WeightMatrix: Sendable {
    /// How an element is stored.
    public enum Encoding: Sendable {
        /// IEEE single precision, little-endian.
        case float32
        /// IEEE half precision, little-endian.
        case float16
        /// bfloat16, little-endian.
        case bfloat16
        /// Two E2M1 codes a byte, the even column in the low nibble; an E4M3 scale for 16 columns;
        /// `value = e2m1 * e4m3 * globalScale`.
        case nvfp4(blockScales: StridedBytes, globalScale: Float)
        /// Two E2M1 codes a byte, the even column in the low nibble; an E8M0 scale for 32 columns.
        case mxfp4(blockScales: StridedBytes)
        /// E4M3 bytes; `value = e4m3 * scale`, with one scale for the matrix or one for each row. On GPUs only.
        case float8(scales: [Float])
    }

    /// The tensor's name in the checkpoint, for messages.
    public let name: String
    /// The number of outputs.
    public let rowCount: Int
    /// The number of inputs; a multiple of 16 (NVFP4) or 32 (MXFP4) for packed encodings.
    public let columnCount: Int
    /// The elements, or for packed encodings the bytes that hold two codes each.
    public let elements: StridedBytes
    /// How an element is stored.
    public let encoding: Encoding
    /// The encode scale `G = 2688 / amax` with which W4A4 quantizes this matrix's input, where the checkpoint has one:
    /// compressed-tensors stores it, ModelOpt its reciprocal.
    public let inputEncodeScale: Float?
    private let onDiscard: @Sendable () -> Void

    /// Describes a matrix whose bytes are kept alive by their ``StridedBytes/pages``, or by what `onDiscard` captures.
    ///
    /// - Parameter onDiscard: called when the bytes have been read and their memory may go.
    public init(
        name: String, rowCount: Int, columnCount: Int, elements: StridedBytes, encoding: Encoding,
        inputEncodeScale: Float? = nil, onDiscard: @escaping @Sendable () -> Void = {}
    ) {
        self.name = name
        self.rowCount = rowCount
        self.columnCount = columnCount
        self.elements = elements
        self.encoding = encoding
        self.inputEncodeScale = inputEncodeScale
        self.onDiscard = onDiscard
    }

    /// Tells the owner that the bytes have been read; the view must not be read again.
    public func discard() {
        for (bytes, pages) in spans(ofRows: 0..<rowCount) { pages.discard(bytes) }
        onDiscard()
    }

    /// Where some rows lie in pages; where the entries of a row are spread over the whole matrix, all of it.
    func spans(ofRows rows: Range<Int>) -> [(bytes: UnsafeRawBufferPointer, pages: any PagedBytes)] {
        guard !rows.isEmpty else { return [] }
        var parts = [(entries: elements, columnCount: columnCount, entrySize: 1)]
        switch encoding {
        case .float32: parts[0].entrySize = 4
        case .float16, .bfloat16: parts[0].entrySize = 2
        case .nvfp4(let blockScales, _):
            parts = [(elements, columnCount / 2, 1), (blockScales, columnCount / 16, 1)]
        case .mxfp4(let blockScales):
            parts = [(elements, columnCount / 2, 1), (blockScales, columnCount / 32, 1)]
        case .float8: break
        }
        return parts.compactMap { part in
            guard let pages = part.entries.pages else { return nil }
            let liesApart = part.columnCount * part.entries.columnStride <= part.entries.rowStride
            let bytes = part.entries.span(
                ofRows: liesApart ? rows : 0..<rowCount, columnCount: part.columnCount, entrySize: part.entrySize)
            return (bytes, pages)
        }
    }
}

extension WeightMatrix {
    /// The bytes that hold the matrix in a checkpoint: elements or codes, and block scales.
    public var byteCount: Int {
        switch encoding {
        case .float32: rowCount * columnCount * 4
        case .float16, .bfloat16: rowCount * columnCount * 2
        case .nvfp4: rowCount * (columnCount / 2 + columnCount / 16)
        case .mxfp4: rowCount * (columnCount / 2 + columnCount / 32)
        case .float8(let scales): rowCount * columnCount + 4 * scales.count
        }
    }
}

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

    /// Describes bytes that stay valid and unchanged as long as the description is used.
    public init(base: UnsafeRawPointer, rowStride: Int, columnStride: Int) {
        self.base = base
        self.rowStride = rowStride
        self.columnStride = columnStride
    }
}

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

    /// Describes a matrix whose bytes `onDiscard` keeps alive by capturing their owner.
    ///
    /// - Parameter onDiscard: called when the bytes have been read and their memory may go.
    public init(
        name: String, rowCount: Int, columnCount: Int, elements: StridedBytes, encoding: Encoding,
        inputEncodeScale: Float? = nil, onDiscard: @escaping @Sendable () -> Void
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
    public func discard() { onDiscard() }
}

extension WeightMatrix {
    /// The bytes that hold the matrix in a checkpoint: elements or codes, and block scales.
    public var byteCount: Int {
        switch encoding {
        case .float32: rowCount * columnCount * 4
        case .float16, .bfloat16: rowCount * columnCount * 2
        case .nvfp4: rowCount * (columnCount / 2 + columnCount / 16)
        case .mxfp4: rowCount * (columnCount / 2 + columnCount / 32)
        }
    }
}

/// A tensor in a mapped file: its description, and its bytes without a copy.
public struct TensorView: Sendable {
    /// The name: `model.layers.0.self_attn.q_proj.weight`.
    public let name: String
    /// The type of the elements.
    public let elementType: ElementType
    /// The extents, outermost first; empty for a scalar.
    public let shape: [Int]
    /// The product of the extents.
    public let elementCount: Int
    /// The file that holds the bytes.
    public let file: MappedFile
    /// Where the bytes lie in the file.
    public let byteRange: Range<Int>

    /// The elements, row-major and little-endian, valid as long as ``file`` lives; see ``MappedFile/bytes``.
    ///
    /// The first byte may have any alignment: read wider elements with `loadUnaligned`.
    public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: file.bytes[byteRange]) }

    /// Calls `body` with the elements and keeps the file mapped meanwhile.
    public func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        defer { extendLifetime(file) }
        return try body(bytes)
    }

    /// Gives back the memory of this tensor's pages, once its bytes have been copied; see ``MappedFile/discard(_:)``.
    public func discard() { file.discard(byteRange) }

    /// An error about this tensor.
    package func error(_ code: ModelFileError.Code, _ message: String) -> ModelFileError {
        ModelFileError(code, file: file.path, item: name.shortenedForMessage, message)
    }
}

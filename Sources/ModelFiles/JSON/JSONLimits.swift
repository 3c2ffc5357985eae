/// What a JSON text may cost before it is refused.
public struct JSONLimits: Sendable {
    /// The length of the text in bytes.
    public var byteCount: Int
    /// How deep arrays and objects may be nested.
    public var depth: Int
    /// The number of values in the whole text.
    public var valueCount: Int

    /// Limits that the files of published models meet with room to spare: 256 MiB, depth 64, 16 million values.
    public init(byteCount: Int = 256 << 20, depth: Int = 64, valueCount: Int = 16_000_000) {
        self.byteCount = byteCount
        self.depth = depth
        self.valueCount = valueCount
    }
}

/// Memory that is reused from chunk to chunk.
struct Buffer: ~Copyable {
    /// Every byte of it, aligned for vectors of 64 bytes.
    let bytes: UnsafeMutableRawBufferPointer

    init(byteCount: Int) {
        bytes = .allocate(byteCount: byteCount, alignment: 64)
        // So that no byte that is handed on was never written.
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit { bytes.deallocate() }

    /// The beginning of it, as so many numbers.
    func floats(_ count: Int) -> UnsafeMutableBufferPointer<Float> {
        UnsafeMutableRawBufferPointer(rebasing: bytes[..<(4 * count)]).bindMemory(to: Float.self)
    }
}

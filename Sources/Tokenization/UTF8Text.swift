/// Reading scalars from bytes that are known to be valid UTF-8.
extension UnsafeBufferPointer<UInt8> {
    /// The scalar that starts at `index` and the number of its bytes.
    @inline(__always)
    func scalar(at index: Int) -> (value: UInt32, byteCount: Int) {
        let lead = UInt32(self[index])
        if lead < 0x80 { return (lead, 1) }
        let second = UInt32(self[index + 1]) & 0x3F
        if lead < 0xE0 { return ((lead & 0x1F) << 6 | second, 2) }
        let third = UInt32(self[index + 2]) & 0x3F
        if lead < 0xF0 { return ((lead & 0x0F) << 12 | second << 6 | third, 3) }
        return ((lead & 0x07) << 18 | second << 12 | third << 6 | UInt32(self[index + 3]) & 0x3F, 4)
    }

    /// The number of bytes of the scalar that starts at `index`.
    @inline(__always)
    func scalarByteCount(at index: Int) -> Int {
        switch self[index] {
        case ..<0x80: 1
        case ..<0xE0: 2
        case ..<0xF0: 3
        default: 4
        }
    }

    /// The index of the scalar that ends before `index`.
    @inline(__always)
    func scalarStart(before index: Int) -> Int {
        var start = index - 1
        while self[start] & 0xC0 == 0x80 { start -= 1 }
        return start
    }
}

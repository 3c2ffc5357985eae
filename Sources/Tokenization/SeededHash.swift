/// A hash with a seed for each process, so that no file can be written to make its keys collide.
///
/// Multiply-and-fold of 8 bytes at a time, as wyhash does.
struct SeededHash: Sendable {
    /// The hash of this process.
    static let shared = SeededHash(first: .random(in: 0 ... .max), second: .random(in: 0 ... .max))

    let first: UInt64
    let second: UInt64

    /// The hash of a number.
    @inline(__always)
    func callAsFunction(_ value: UInt64) -> UInt64 {
        let product = (value ^ first).multipliedFullWidth(by: value ^ second | 1)
        return product.high ^ product.low
    }

    /// The hash of a byte string.
    @inline(__always)
    func callAsFunction(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt64 {
        let raw = UnsafeRawBufferPointer(bytes)
        var hash = self(UInt64(raw.count))
        var offset = 0
        while raw.count - offset >= 8 {
            hash = self(hash ^ raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            offset += 8
        }
        var rest: UInt64 = 0
        while offset < raw.count {
            rest = rest << 8 | UInt64(raw[offset])
            offset += 1
        }
        return self(hash ^ rest)
    }
}

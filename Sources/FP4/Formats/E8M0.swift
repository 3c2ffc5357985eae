/// An 8-bit power of two: the scale of a microscaling block (OCP Microscaling v1.0).
///
/// Code `c` is 2^(c - 127), from 2^-127 to 2^127; 255 is NaN. There is no zero and no sign. Which power a block of
/// numbers gets is the block format's rule: see ``MXFP4/blockScale(absoluteMaximum:)``.
@frozen
public struct E8M0: Hashable, Sendable {
    /// The code.
    public let bits: UInt8

    /// The number with a code.
    @inlinable
    public init(bits: UInt8) { self.bits = bits }

    /// Whether this is NaN.
    @inlinable
    public var isNaN: Bool { bits == 0xFF }

    /// NaN.
    public static var nan: E8M0 { E8M0(bits: 0xFF) }
}

extension Float {
    /// The value of a power of two; exact.
    @inlinable @inline(__always)
    public init(_ number: E8M0) {
        // 2^-127 is the only power among them that is subnormal in Float.
        let bits = number.bits == 0 ? 1 << 22 : UInt32(number.bits) << 23
        self = number.isNaN ? .nan : Float(bitPattern: bits)
    }
}

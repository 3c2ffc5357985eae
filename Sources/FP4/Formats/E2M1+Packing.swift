extension E2M1 {
    /// Rounds sixteen values and packs their codes, the element with the even index in the low nibble.
    @inline(__always)
    static func packed(_ values: SIMD16<Float>) -> SIMD8<UInt8> {
        var codes = SIMD8<UInt8>()
        for index in codes.indices {
            codes[index] = E2M1(values[2 * index]).bits | E2M1(values[2 * index + 1]).bits << 4
        }
        return codes
    }

    /// The values of sixteen packed codes.
    @inline(__always)
    static func unpacked(_ codes: SIMD8<UInt8>) -> SIMD16<Float> {
        var values = SIMD16<Float>()
        for index in codes.indices {
            values[2 * index] = Float(E2M1(bits: codes[index]))
            values[2 * index + 1] = Float(E2M1(bits: codes[index] >> 4))
        }
        return values
    }
}

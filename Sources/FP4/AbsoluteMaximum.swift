/// The largest magnitude of some values, 0 if there are none.
///
/// - Returns: a finite number exactly when every value is finite; NaN if there is a NaN, else an infinity. So one look
///   at the result tells whether the values can be quantized.
public func absoluteMaximum(of values: UnsafeBufferPointer<Float>) -> Float {
    // Without the sign, the bits of floating-point numbers are ordered as the numbers, infinity and then NaN last.
    var maximum: UInt32 = 0
    for value in values { maximum = max(maximum, value.magnitude.bitPattern) }
    return Float(bitPattern: maximum)
}

/// The largest magnitude of a block of sixteen values; NaN if there is one.
@inline(__always)
func absoluteMaximum(of values: SIMD16<Float>) -> Float {
    var maximum: UInt32 = 0
    for index in values.indices { maximum = max(maximum, values[index].magnitude.bitPattern) }
    return Float(bitPattern: maximum)
}

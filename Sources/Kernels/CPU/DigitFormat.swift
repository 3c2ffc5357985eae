import CCPUKernels

/// How rows are written as integers of 8-bit digits for products with quantized matrices, sixteen in a block with a scale.
enum DigitFormat {
    /// Integers of 23 bits, in three digits: closer to the activations than what float32 sums lose.
    case exact
    /// Integers of 8 bits: the largest of the sixteen is 127.
    case int8

    /// The digits of an integer.
    var digitCount: Int32 {
        switch self {
        case .exact: Int32(NIBBLE_EXACT_DIGITS)
        case .int8: Int32(NIBBLE_INT8_DIGITS)
        }
    }

    /// Bytes from a block of 16 columns to the next.
    var blockBytes: Int {
        switch self {
        case .exact: Int(NIBBLE_EXACT_BLOCK_BYTES)
        case .int8: Int(NIBBLE_INT8_BLOCK_BYTES)
        }
    }

    /// Bytes from a row to the next, a multiple of 64.
    ///
    /// Products with one digit visit the same columns of up to 64 rows in turn. An odd number of cache lines puts these into
    /// different sets of the first-level cache.
    func rowBytes(columnCount: Int) -> Int {
        let bytes = (columnCount + 15) / 16 * blockBytes
        return self == .exact ? bytes : ((bytes + 63) / 64 | 1) * 64
    }
}

extension CPUBackend {
    /// The digits of the rows that enter quantized matrices.
    var digitFormat: DigitFormat { activationPrecision == .int8 ? .int8 : .exact }
}

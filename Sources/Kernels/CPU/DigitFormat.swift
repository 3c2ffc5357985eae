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
    func rowBytes(columnCount: Int) -> Int { RowStride.bytes((columnCount + 15) / 16 * blockBytes) }
}

extension CPUBackend {
    /// The digits of the rows that enter quantized matrices.
    var digitFormat: DigitFormat { activationPrecision == .int8 ? .int8 : .exact }
}

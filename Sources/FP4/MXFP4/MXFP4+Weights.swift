extension MXFP4 {
    /// Quantizes weights.
    ///
    /// - Parameters:
    ///   - weights: any number of rows `[rows, K]`, row-major, `K` a multiple of 32.
    ///   - rule: whose scales and codes.
    ///   - codes: receives `[rows, K / 2]` bytes.
    ///   - scales: receives `[rows, K / 32]` E8M0 bytes.
    public static func quantize(
        weights: UnsafeBufferPointer<Float>, rule: Rule = .compressedTensors,
        codes: UnsafeMutableRawBufferPointer, scales: UnsafeMutableRawBufferPointer
    ) {
        checkSizes(valueCount: weights.count, codeByteCount: codes.count, scaleByteCount: scales.count)
        let source = UnsafeRawBufferPointer(weights)
        for index in scales.indices {
            let values = source.loadUnaligned(fromByteOffset: 128 * index, as: SIMD32<Float>.self)
            let block =
                switch rule {
                case .compressedTensors: Block(weights: values)
                case .modelOpt: Block(modelOptWeights: values)
                }
            codes.storeBytes(of: block.codes, toByteOffset: 16 * index, as: SIMD16<UInt8>.self)
            scales[index] = block.scale.bits
        }
    }

    /// Expands packed elements: `e2m1 * blockScale`.
    ///
    /// - Parameters:
    ///   - codes: `[rows, K / 2]` bytes, or gpt-oss's `[rows, K / 32, 16]`.
    ///   - scales: `[rows, K / 32]` E8M0 bytes. A NaN makes its block NaN.
    ///   - values: receives `[rows, K]`.
    public static func dequantize(
        codes: UnsafeRawBufferPointer, scales: UnsafeRawBufferPointer,
        into values: UnsafeMutableBufferPointer<Float>
    ) {
        checkSizes(valueCount: values.count, codeByteCount: codes.count, scaleByteCount: scales.count)
        let target = UnsafeMutableRawBufferPointer(values)
        for index in scales.indices {
            let bytes = codes.loadUnaligned(fromByteOffset: 16 * index, as: SIMD16<UInt8>.self)
            let block = Block(codes: bytes, scale: E8M0(bits: scales[index]))
            target.storeBytes(of: block.values(), toByteOffset: 128 * index, as: SIMD32<Float>.self)
        }
    }

    private static func checkSizes(valueCount: Int, codeByteCount: Int, scaleByteCount: Int) {
        precondition(
            valueCount % blockSize == 0 && codeByteCount == valueCount / 2 && scaleByteCount == valueCount / blockSize,
            "MXFP4 takes whole blocks of 32 values, 16 bytes of codes and 1 byte of scale for each")
    }
}

extension NVFP4 {
    /// Quantizes weights by ``Block/init(weights:globalScale:)``.
    ///
    /// - Parameters:
    ///   - weights: any number of rows `[rows, K]`, row-major, `K` a multiple of 16.
    ///   - globalScale: the tensor's, or one shared with other tensors; finite and above zero.
    ///   - codes: receives `[rows, K / 2]` bytes.
    ///   - scales: receives `[rows, K / 16]` E4M3 bytes.
    public static func quantize(
        weights: UnsafeBufferPointer<Float>, globalScale: Float,
        codes: UnsafeMutableRawBufferPointer, scales: UnsafeMutableRawBufferPointer
    ) {
        checkSizes(valueCount: weights.count, codeByteCount: codes.count, scaleByteCount: scales.count)
        let source = UnsafeRawBufferPointer(weights)
        for index in scales.indices {
            let values = source.loadUnaligned(fromByteOffset: 64 * index, as: SIMD16<Float>.self)
            let block = Block(weights: values, globalScale: globalScale)
            codes.storeBytes(of: block.codes, toByteOffset: 8 * index, as: SIMD8<UInt8>.self)
            scales[index] = block.scale.bits
        }
    }

    /// Quantizes weights whose blocks run down the columns: ModelOpt's layout of fused experts.
    ///
    /// Byte `[b, n]` of the codes holds rows `2 * b` (low nibble) and `2 * b + 1` of column `n`.
    ///
    /// - Parameters:
    ///   - weights: `[K, N]`, row-major: one expert, or any run of its rows; `K` a multiple of 16.
    ///   - columnCount: `N`, above zero.
    ///   - globalScale: the tensor's; finite and above zero.
    ///   - codes: receives `[K / 2, N]` bytes.
    ///   - scales: receives `[K / 16, N]` E4M3 bytes.
    public static func quantize(
        transposedWeights weights: UnsafeBufferPointer<Float>, columnCount: Int, globalScale: Float,
        codes: UnsafeMutableRawBufferPointer, scales: UnsafeMutableRawBufferPointer
    ) {
        checkSizes(valueCount: weights.count, codeByteCount: codes.count, scaleByteCount: scales.count)
        checkColumns(columnCount, scaleByteCount: scales.count)
        for index in scales.indices {
            let (blockRow, column) = index.quotientAndRemainder(dividingBy: columnCount)
            var values = SIMD16<Float>()
            for row in values.indices {
                values[row] = weights[(blockRow * blockSize + row) * columnCount + column]
            }
            let block = Block(weights: values, globalScale: globalScale)
            for pair in block.codes.indices {
                codes[(blockRow * 8 + pair) * columnCount + column] = block.codes[pair]
            }
            scales[index] = block.scale.bits
        }
    }

    /// Expands packed elements: `e2m1 * (blockScale * globalScale)`, both products rounded to `Float`.
    ///
    /// These are the values that ModelOpt, compressed-tensors and vLLM compute.
    ///
    /// - Parameters:
    ///   - codes: `[rows, K / 2]` bytes.
    ///   - scales: `[rows, K / 16]` E4M3 bytes, row-major. A NaN makes its block NaN.
    ///   - globalScale: the multiplier; of a stored divisor, `1 / divisor`.
    ///   - values: receives `[rows, K]`.
    public static func dequantize(
        codes: UnsafeRawBufferPointer, scales: UnsafeRawBufferPointer, globalScale: Float,
        into values: UnsafeMutableBufferPointer<Float>
    ) {
        checkSizes(valueCount: values.count, codeByteCount: codes.count, scaleByteCount: scales.count)
        let target = UnsafeMutableRawBufferPointer(values)
        for index in scales.indices {
            let bytes = codes.loadUnaligned(fromByteOffset: 8 * index, as: SIMD8<UInt8>.self)
            let block = Block(codes: bytes, scale: E4M3(bits: scales[index]))
            let expanded = block.values(times: Float(block.scale) * globalScale)
            target.storeBytes(of: expanded, toByteOffset: 64 * index, as: SIMD16<Float>.self)
        }
    }

    /// Expands packed elements whose blocks run down the columns, ModelOpt's layout of fused experts.
    ///
    /// - Parameters:
    ///   - codes: `[K / 2, N]` bytes of one expert.
    ///   - scales: `[K / 16, N]` E4M3 bytes. A NaN makes its block NaN.
    ///   - columnCount: `N`, above zero.
    ///   - globalScale: the multiplier.
    ///   - values: receives `[K, N]`.
    public static func dequantize(
        transposedCodes codes: UnsafeRawBufferPointer, scales: UnsafeRawBufferPointer, columnCount: Int,
        globalScale: Float, into values: UnsafeMutableBufferPointer<Float>
    ) {
        checkSizes(valueCount: values.count, codeByteCount: codes.count, scaleByteCount: scales.count)
        checkColumns(columnCount, scaleByteCount: scales.count)
        for index in scales.indices {
            let (blockRow, column) = index.quotientAndRemainder(dividingBy: columnCount)
            var block = Block(codes: SIMD8(), scale: E4M3(bits: scales[index]))
            for pair in block.codes.indices {
                block.codes[pair] = codes[(blockRow * 8 + pair) * columnCount + column]
            }
            let expanded = block.values(times: Float(block.scale) * globalScale)
            for row in expanded.indices {
                values[(blockRow * blockSize + row) * columnCount + column] = expanded[row]
            }
        }
    }

    static func checkSizes(valueCount: Int, codeByteCount: Int, scaleByteCount: Int) {
        precondition(
            valueCount % blockSize == 0 && codeByteCount == valueCount / 2 && scaleByteCount == valueCount / blockSize,
            "NVFP4 takes whole blocks of 16 values, 8 bytes of codes and 1 byte of scale for each")
    }

    private static func checkColumns(_ columnCount: Int, scaleByteCount: Int) {
        precondition(columnCount > 0 && scaleByteCount % columnCount == 0, "the columns do not divide the matrix")
    }
}

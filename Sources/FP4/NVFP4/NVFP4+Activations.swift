extension NVFP4 {
    /// Quantizes activations by ``Block/init(activations:encodeScale:)``.
    ///
    /// - Parameters:
    ///   - activations: any number of rows `[T, K]`, row-major, `K` a multiple of 16.
    ///   - encodeScale: `1 / input_scale` of a ModelOpt checkpoint, `input_global_scale` of a compressed-tensors one, or
    ///     ``encodeScale(absoluteMaximum:)`` of one row; finite and above zero.
    ///   - codes: receives `[T, K / 2]` bytes.
    ///   - scales: receives `[T, K / 16]` E4M3 bytes.
    public static func quantize(
        activations: UnsafeBufferPointer<Float>, encodeScale: Float,
        codes: UnsafeMutableRawBufferPointer, scales: UnsafeMutableRawBufferPointer
    ) {
        checkSizes(valueCount: activations.count, codeByteCount: codes.count, scaleByteCount: scales.count)
        let source = UnsafeRawBufferPointer(activations)
        for index in scales.indices {
            let values = source.loadUnaligned(fromByteOffset: 64 * index, as: SIMD16<Float>.self)
            let block = Block(activations: values, encodeScale: encodeScale)
            codes.storeBytes(of: block.codes, toByteOffset: 8 * index, as: SIMD8<UInt8>.self)
            scales[index] = block.scale.bits
        }
    }

    /// Quantizes activations and expands them again: what a W4A4 product sees of them.
    ///
    /// The values are `e2m1 * (blockScale / encodeScale)`, as in vLLM's reference (`ref_nvfp4_quant_dequant`).
    ///
    /// - Parameters:
    ///   - activations: any number of rows `[T, K]`, row-major, `K` a multiple of 16.
    ///   - encodeScale: as for ``quantize(activations:encodeScale:codes:scales:)``.
    ///   - values: receives `[T, K]`; may be the activations' own memory.
    public static func fakeQuantize(
        activations: UnsafeBufferPointer<Float>, encodeScale: Float,
        into values: UnsafeMutableBufferPointer<Float>
    ) {
        precondition(
            activations.count % blockSize == 0 && values.count == activations.count,
            "NVFP4 takes whole blocks of 16 values")
        let source = UnsafeRawBufferPointer(activations)
        let target = UnsafeMutableRawBufferPointer(values)
        for offset in stride(from: 0, to: source.count, by: 64) {
            let block = Block(
                activations: source.loadUnaligned(fromByteOffset: offset, as: SIMD16<Float>.self),
                encodeScale: encodeScale)
            let expanded = block.values(times: Float(block.scale) / encodeScale)
            target.storeBytes(of: expanded, toByteOffset: offset, as: SIMD16<Float>.self)
        }
    }
}

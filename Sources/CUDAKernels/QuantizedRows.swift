internal import CUDA
internal import Kernels

/// The rows that enter a linear layer, rounded to NVFP4 (W4A4), and the memory that holds them.
struct QuantizedRows: Sendable {
    /// BF16 `[T, pitch]`.
    let rows: DeviceBuffer<UInt16>
    /// What the sums of each row are multiplied by, `[T]`.
    let factors: DeviceBuffer<Float>
    /// What all products are multiplied by besides, `[1]`.
    let scale: DeviceBuffer<Float>

    private let encodeScale: DeviceBuffer<Float>
    private let kernel: Kernel
    private let pitch: Int

    /// Loads the kernel, and makes memory for up to `tokenCount` rows.
    ///
    /// - Throws: ``CUDA/CUDAError`` with code `unsupported` if the weights are not NVFP4, or their input scale is no scale.
    init(_ weights: LinearWeights, tokenCount: Int, loader: KernelLoader, on stream: Stream) throws(CUDAError) {
        guard weights.format == .nvfp4 else {
            throw CUDAError(
                .unsupported,
                "linear layer: NVFP4 activations need NVFP4 weights, not those in \(weights.format.rawValue)")
        }
        let given = weights.inputEncodeScale
        if let given, !(given > 0 && given.isFinite) {
            throw CUDAError(
                .unsupported, "linear layer: an input encode scale of \(given), expected a finite one above zero")
        }
        pitch = weights.shape.inputPitch
        kernel = try QuantizeRows(input: .linear, output: .linear, columnCount: pitch).load(loader)
        rows = try DeviceBuffer(loader.context, count: tokenCount * pitch)
        factors = try DeviceBuffer(loader.context, count: tokenCount)
        encodeScale = try DeviceBuffer(loader.context, count: 1)
        scale = try DeviceBuffer(loader.context, count: 1)
        try stream.write([given ?? 0], to: encodeScale)
        try stream.write([weights.globalScale * (given.map { 1 / $0 } ?? 1)], to: scale)
    }

    /// Queues the rounding of some tokens.
    func enqueue(
        _ input: DeviceBuffer<UInt16>, tokenCount: Int, on stream: Stream
    ) throws(CUDAError) {
        let arguments = QuantizeRows.Arguments(
            list: 0, encodeScales: encodeScale.address, input: input.address, output: rows.address,
            factors: factors.address, inputPitch: UInt32(pitch), outputPitch: UInt32(pitch),
            rowCount: UInt32(tokenCount), blockRowCount: 16)
        try stream.launch(
            kernel, QuantizeRows.launch(blockCount: tokenCount.dividedRoundingUp(by: 16), rowCount: 16), arguments)
    }
}

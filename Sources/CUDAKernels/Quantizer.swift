public import CUDA
internal import FP4

/// A quantization that is ready to run: what ``Quantize`` describes.
///
/// Its launches can be captured and may overlap the kernel before. Launches with ``Quantize/EncodeScale/perTensor`` share
/// memory, so they follow each other in one stream.
public struct Quantizer: Sendable {
    /// What it computes.
    public let quantize: Quantize

    private let kernel: Kernel
    /// Computes the scale of a tensor; nil if that is given, or each row's own.
    private let encodeScale: Kernel?
    /// A counter and a maximum for each block of `encodeScale`.
    private let partials: DeviceBuffer<UInt32>
    private let encodeScaleBlockCount: Int

    init(_ quantize: Quantize, _ module: Module, on stream: Stream) throws(CUDAError) {
        self.quantize = quantize
        kernel = try module.kernel("quantize")
        encodeScale = quantize.isPerTensor ? try module.kernel("encode_scale") : nil
        encodeScaleBlockCount = encodeScale == nil ? 0 : 4 * stream.context.device.multiprocessorCount
        partials = try DeviceBuffer(stream.context, count: 1 + encodeScaleBlockCount)
        try stream.fill(partials, byte: 0)
    }

    /// Queues the quantization of some rows, scales' padding included.
    ///
    /// - Parameters:
    ///   - input: `[T, K]`, row-major, at a multiple of 16 bytes.
    ///   - rowCount: `T`; 0 queues nothing.
    ///   - encodeScales: for NVFP4: given, `[1]`, finite and above zero; else computed, `[1]` or `[T]`. nil for MXFP4.
    ///   - codes: receives `[T, K / 2]` bytes, at a multiple of 8.
    ///   - scales: receives the bytes of ``Quantize/scaleLayout(rowCount:)``, at a multiple of 4.
    /// - Throws: ``CUDA/CUDAError`` with code `invalidArgument` if a buffer does not fit, or of the launch.
    public func launch(
        on stream: Stream, input: DeviceBuffer<UInt16>, rowCount: Int, encodeScales: DeviceBuffer<Float>?,
        codes: DeviceBuffer<UInt8>, scales: DeviceBuffer<UInt8>
    ) throws(CUDAError) {
        let layout = try check(rowCount, input: input, encodeScales: encodeScales, codes: codes, scales: scales)
        guard rowCount > 0 else { return }
        let overlaps = stream.context.device.architecture.major >= 9
        if let encodeScale, let encodeScales {
            try stream.launch(
                encodeScale,
                Launch(
                    grid: Launch.Extent(encodeScaleBlockCount), block: 256, overlapsPrevious: overlaps),
                input, UInt32(rowCount), partials, encodeScales)
        }
        let pieceCount = rowCount * quantize.rowPieceCount
        let dataBlockCount =
            quantize.isPerRow
            ? rowCount : pieceCount.dividedRoundingUp(by: quantize.threadCount * quantize.piecesPerThread)
        let paddedWordCount = (layout.paddedRowCount - rowCount) * layout.paddedColumnCount / 4
        let blockCount = dataBlockCount + paddedWordCount.dividedRoundingUp(by: quantize.threadCount)
        try stream.launch(
            kernel,
            Launch(
                grid: Launch.Extent(blockCount), block: Launch.Extent(quantize.threadCount), overlapsPrevious: overlaps),
            input, UInt32(rowCount), encodeScales?.address ?? 0, codes, scales)
    }

    private func check(
        _ rowCount: Int, input: DeviceBuffer<UInt16>, encodeScales: DeviceBuffer<Float>?, codes: DeviceBuffer<UInt8>,
        scales: DeviceBuffer<UInt8>
    ) throws(CUDAError) -> ScaleLayout {
        // Threads count pieces in 32 bits.
        guard 0...(1 << 31) / quantize.rowPieceCount ~= rowCount, let layout = quantize.scaleLayout(rowCount: rowCount)
        else {
            throw CUDAError(
                .invalidArgument, "quantize: \(rowCount) rows of \(quantize.columnCount) elements, expected 2³⁵ at most"
            )
        }
        func require(_ name: String, _ found: Int, _ expected: Int, _ address: UInt64, multipleOf alignment: UInt64)
            throws(CUDAError)
        {
            guard found >= expected, address.isMultiple(of: alignment) else {
                throw CUDAError(
                    .invalidArgument,
                    "quantize: \(name) of \(found) elements at address \(address), "
                        + "expected \(expected) at a multiple of \(alignment)")
            }
        }
        try require("an input", input.count, rowCount * quantize.columnCount, input.address, multipleOf: 16)
        try require("codes", codes.count, rowCount * quantize.columnCount / 2, codes.address, multipleOf: 8)
        try require("scales", scales.count, layout.byteCount, scales.address, multipleOf: 4)
        if quantize.format != .mxfp4 {
            try require(
                "encode scales", encodeScales?.count ?? 0, quantize.isPerRow ? rowCount : 1, encodeScales?.address ?? 0,
                multipleOf: 4)
        }
        return layout
    }
}

extension Int {
    /// The quotient of numbers that are not negative, rounded up.
    func dividedRoundingUp(by divisor: Int) -> Int { self / divisor + (self % divisor == 0 ? 0 : 1) }
}

internal import CUDA

/// The host side of `any/repack_weights.cu`: a matrix, or a gate and up pair, from a checkpoint's layout into slabs.
struct RepackWeights: TemplateKernel {
    /// `RepackSource` of the device file.
    struct Arguments: BitwiseCopyable, KernelArgument {
        /// Addresses of the codes or elements of one matrix, or of gate and up.
        var elements: (UInt64, UInt64)
        /// Addresses of the block scales.
        var scales: (UInt64, UInt64)
        var rowStride: Int64
        var columnStride: Int64
        var scaleRowStride: Int64
        var scaleColumnStride: Int64
        /// Of each matrix.
        var rowCount: UInt32
        var columnCount: UInt32
    }

    static let path = "any/repack_weights.cu"
    static let function = "repack"
    static let argumentsName = "RepackSource"
    static let parameters = "const __grid_constant__ RepackSource source, char* out, u32* refused"
    private static let threadCount = 256

    let format: WeightFormat
    let isPaired: Bool

    var launchBounds: String { "\(Self.threadCount)" }
    var declarations: [String] {
        [
            "static_assert(slab_bytes(\(format.deviceName)) == \(format.slabByteCount), \"as the host counts\");",
            "static_assert(SLAB_ROWS == \(SlabLayout.rowCount), \"as the host counts\");",
            "static_assert(SLAB_COLUMNS == \(SlabLayout.columnCount), \"as the host counts\");",
        ]
    }
    var body: String { "repack_weights<\(format.deviceName), \(isPaired)>(source, out, refused);" }

    /// Queues the repacking of one matrix or pair; sets `refused` to 1 if an NVFP4 scale is NaN, an MXFP4 scale above 2⁸ or NaN,
    /// or an FP8 weight NaN.
    static func launch(
        _ kernel: Kernel, on stream: Stream, _ source: Arguments, layout: SlabLayout, into slabs: DeviceBuffer<UInt8>,
        refused: DeviceBuffer<UInt32>
    ) throws(CUDAError) {
        guard slabs.byteCount == layout.byteCount else {
            throw CUDAError(
                .invalidArgument,
                "repack: a buffer of \(slabs.byteCount) bytes, expected \(layout.byteCount.map(String.init) ?? "more")")
        }
        try stream.launch(
            kernel, Launch(grid: Launch.Extent(layout.slabCount, layout.blockCount), block: Launch.Extent(threadCount)),
            source, slabs, refused)
    }
}

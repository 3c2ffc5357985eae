internal import CUDA

/// The host side of `any/repack_weights.cu`: a matrix, or a gate and up pair, from a checkpoint's layout into slabs.
struct RepackWeights {
    /// `RepackSource` of the device file.
    struct Source: BitwiseCopyable, KernelArgument {
        /// Addresses of the codes or elements of one matrix, or of gate and up.
        var elements: (UInt64, UInt64)
        /// Addresses of the block scales.
        var scales: (UInt64, UInt64)
        var expertStride: Int64 = 0
        var rowStride: Int64
        var columnStride: Int64
        var scaleExpertStride: Int64 = 0
        var scaleRowStride: Int64
        var scaleColumnStride: Int64
        /// Of each matrix.
        var rowCount: UInt32
        var columnCount: UInt32
    }

    static let path = "any/repack_weights.cu"
    private static let threadCount = 256

    let format: WeightFormat
    let isPaired: Bool

    /// The program to compile.
    func program(from sources: KernelSources, for architecture: Architecture) throws(CUDAError) -> KernelProgram {
        try sources.program(
            Self.path, for: architecture,
            instantiation: """

                static_assert(sizeof(RepackSource) == \(MemoryLayout<Source>.stride), "as the host lays it out");
                extern "C" __global__ void __launch_bounds__(\(Self.threadCount)) \
                repack(const __grid_constant__ RepackSource source, char* out, u32* refused) {
                    repack_weights<\(format.deviceName), \(isPaired)>(source, out, refused);
                }

                """)
    }

    /// The kernel, loaded.
    func load(from sources: KernelSources, _ cache: KernelCache, in context: Context) throws(CUDAError) -> Kernel {
        try cache.module(try program(from: sources, for: context.device.architecture), in: context).kernel("repack")
    }

    /// Queues the repacking of one matrix or pair; sets `refused` to 1 if an MXFP4 scale is above 2⁸ or NaN.
    static func launch(
        _ kernel: Kernel, on stream: Stream, _ source: Source, layout: SlabLayout, into slabs: DeviceBuffer<UInt8>,
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

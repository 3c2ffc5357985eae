internal import CUDA

/// The host side of `any/moe_pack.cu`: token rows in the layout of the grouped product.
struct MoEPack: Sendable, Equatable {
    /// `MoePackArguments` of the device file.
    struct Arguments: BitwiseCopyable, KernelArgument {
        var inputs: UInt64
        var packed: UInt64
        var inputPitch: UInt32
        var tokenCount: UInt32
    }

    static let path = "any/moe_pack.cu"
    static let function = "pack_rows"
    /// Of one row and slab.
    static let rowByteCount = 128
    private static let threadCount = 256

    let slabCount: Int

    /// The bytes of so many packed rows.
    static func byteCount(tokenCount: Int, pitch: Int) -> Int {
        tokenCount * (pitch / SlabLayout.columnCount) * rowByteCount
    }

    /// The program to compile.
    func program(from sources: KernelSources, for architecture: Architecture) throws(CUDAError) -> KernelProgram {
        try sources.program(
            Self.path, for: architecture,
            instantiation: """

                static_assert(sizeof(MoePackArguments) == \(MemoryLayout<Arguments>.stride), "as the host lays it out");
                extern "C" __global__ void __launch_bounds__(\(Self.threadCount)) \
                \(Self.function)(const __grid_constant__ MoePackArguments arguments) {
                    moe_pack<\(slabCount)>(arguments);
                }

                """)
    }

    /// A launch for at least one token.
    func launch(tokenCount: Int) -> Launch {
        Launch(
            grid: Launch.Extent(tokenCount.dividedRoundingUp(by: 8), slabCount.dividedRoundingUp(by: 8)),
            block: Launch.Extent(Self.threadCount), overlapsPrevious: true)
    }
}

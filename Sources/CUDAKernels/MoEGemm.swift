internal import CUDA

/// The host side of `sm90/moe_gemm.cu`: the experts of a layer, or a linear layer, for many tokens an expert.
///
/// Its properties are the template's parameters.
struct MoEGemm: Sendable, Equatable, CustomStringConvertible {
    /// `MoeGemmArguments` of the device file; addresses may be 0 where the file says null.
    struct Arguments: BitwiseCopyable, KernelArgument {
        var routing: RoutingArgument
        var upWeights: UInt64 = 0
        var downWeights: UInt64
        /// Packed.
        var inputs: UInt64 = 0
        var hidden: UInt64
        var output: UInt64
        var residual: UInt64 = 0
        var upScales: UInt64 = 0
        var downScales: UInt64 = 0
        var upBiases: UInt64 = 0
        var downBiases: UInt64 = 0
        /// Of the clamped activation.
        var limit: Float = 0
        var slope: Float = 0
        var counters: UInt64
        var slotCount: UInt32
        var weightsRowsOnInput: UInt32 = 0
    }

    static let path = "sm90/moe_gemm.cu"
    static let function = "multiply_experts"
    /// The token rows of a block.
    static let largestRowCount = 128
    static let threadCount = 32 * 12

    let shape: ExpertShape
    /// Whether every token has exactly one row, so that rows are the output.
    let hasOneRow: Bool

    private var stageCount: Int { shape.down.format == .bfloat16 ? 3 : 6 }

    var sharedByteCount: Int {
        let packed = Self.largestRowCount * MoEPack.rowByteCount
        let stage = (packed + 4 * shape.down.format.slabByteCount).rounded(upTo: 1024)
        let scratch = 8 * 32 * 20 * 4
        let item = 4 * (8 + 2 + 2 * Self.largestRowCount)
        let barriers = 8 * (2 * stageCount + 2 * 4 + 3)
        return stageCount * stage + 2 * packed + scratch + 4 * item + barriers
    }

    var description: String { "grouped product, blocks of \(Self.largestRowCount) rows, \(stageCount) stages" }

    /// The words that blocks of a list of up to `blockCount` blocks count in; zero before the first launch.
    static func counterCount(blockCount: Int) -> Int { 32 + 2 * blockCount }

    /// The program to compile.
    func program(from sources: KernelSources, for architecture: Architecture) throws(CUDAError) -> KernelProgram {
        let (up, down) = (shape.up, shape.down)
        let parameters = [
            down.format.deviceName, "\(up?.blockCount ?? 0)", "\(up?.slabCount ?? 0)", "\(down.blockCount)",
            "\(down.slabCount)", "\(shape.outputPitch)", shape.activation.deviceName, "\(hasOneRow)", "\(stageCount)",
        ]
        return try sources.program(
            Self.path, for: architecture,
            instantiation: """

                typedef MoeGemm<\(parameters.joined(separator: ", "))> Gemm;
                static_assert(sizeof(MoeGemmArguments) == \(MemoryLayout<Arguments>.stride), "as the host lays it out");
                static_assert(Gemm::kThreads == \(Self.threadCount), "as the host counts");
                static_assert(Gemm::kSharedBytes == \(sharedByteCount), "as the host counts");
                extern "C" __global__ void __launch_bounds__(\(Self.threadCount), 1) \
                \(Self.function)(const __grid_constant__ MoeGemmArguments arguments) {
                    moe_gemm<Gemm>(arguments);
                }

                """)
    }
}

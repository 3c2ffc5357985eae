internal import CUDA

/// The host side of `sm90/moe_gemm.cu`: the experts of a layer, or a linear layer, for many tokens an expert.
///
/// Its properties are the template's parameters.
struct MoEGemm: TemplateKernel, Hashable, CustomStringConvertible {
    /// `MoeGemmArguments` of the device file; addresses may be 0 where the file says null.
    struct Arguments: BitwiseCopyable, KernelArgument {
        /// Without a list: all tokens, in order, of the expert `tokenExpert`.
        var routing: RoutingArgument
        var upWeights: UInt64 = 0
        var downWeights: UInt64
        /// Packed: rows, or tokens if they are gathered, and rows between the products.
        var inputs: UInt64
        var hidden: UInt64 = 0
        var output: UInt64
        var residual: UInt64 = 0
        var upScales: UInt64 = 0
        var downScales: UInt64 = 0
        /// Of every row of down, besides; `[outputs]`, FP8 only.
        var rowScales: UInt64 = 0
        var upBiases: UInt64 = 0
        var downBiases: UInt64 = 0
        /// Of the clamped activation.
        var limit: Float = 0
        var slope: Float = 0
        var counters: UInt64
        var partials: UInt64
        /// Of packed rows.
        var slotCount: UInt32 = 0
        var tokenCount: UInt32
        var tokenExpert: UInt32 = 0
        var weightsRowsOnInput: UInt32 = 0
    }

    static let path = "sm90/moe_gemm.cu"
    static let function = "multiply_experts"
    static let argumentsName = "MoeGemmArguments"
    /// The token rows of a block that there are kernels for; `MoEConfiguration.groupedRowCount(tokenCount:)` chooses.
    static let rowCounts = (few: 64, middle: 96, many: 144)
    /// The same where rows are all tokens: of a shared expert or a linear layer.
    static let denseRowCount = 128
    /// What the stages have to fit into: the shared memory that a block on Hopper may have.
    private static let sharedLimit = 232448
    /// Slots of packed rows that lie together: a block takes whole groups.
    private static let slotGroup = 8
    /// The words before the counters of divided sums and of blocks.
    private static let firstCounter = 32

    let shape: ExpertShape
    /// Whether every token has exactly one row, so that rows are the output.
    let hasOneRow: Bool
    /// The token rows of a block at most.
    let rowCount: Int

    /// Whether the kernel gathers the token of each row by itself, rather than that rows are packed for it.
    var gathers = false

    /// The warpgroups that multiply.
    private var groupCount: Int { rowCount == 64 && shape.down.format.isFP4 ? 3 : 2 }

    /// The blocks of 64 weight rows of an item.
    private var blockCount: Int { groupCount * (rowCount == 96 && shape.down.format.isFP4 ? 3 : 2) }

    var threadCount: Int { 32 * (4 * groupCount + 4) }

    /// The slabs of a stage.
    private var stageSlabCount: Int { rowCount == 64 && shape.down.format.isFP4 ? 2 : 1 }

    private var stageByteCount: Int {
        (stageSlabCount * (rowCount * MoEPack.rowByteCount + blockCount * shape.down.format.slabByteCount))
            .rounded(upTo: 1024)
    }

    /// What is not stages: areas of packed rows (half as many as blocks of weight rows, or as many without a gate), outputs of
    /// each warp, four items, barriers.
    private var otherByteCount: Int {
        let areas = blockCount / (shape.activation.isGated ? 2 : 1) * rowCount * MoEPack.rowByteCount
        let outputs = 4 * groupCount * 16 * 48
        let items = 4 * 4 * (16 + 2 * rowCount)
        return areas + outputs + items + 512
    }

    private var stageCount: Int { (Self.sharedLimit - otherByteCount) / stageByteCount }

    var sharedByteCount: Int { otherByteCount + stageCount * stageByteCount }

    var description: String { "grouped product, blocks of \(rowCount) rows, \(stageCount) stages" }

    /// Why a GPU cannot run it; nil if it can.
    func refusal(on device: Device) -> String? {
        if device.architecture.major != 9 { return "the grouped product needs sm_90a, not \(device)" }
        let available = device.maximumSharedByteCountPerBlock
        guard sharedByteCount > available else { return nil }
        return
            "the grouped product needs \(sharedByteCount) bytes of shared memory, a block of \(device) can have \(available)"
    }

    /// The slots of packed rows that `rowCount` rows in up to `blockCount` blocks take.
    static func slotCount(rowCount: Int, blockCount: Int) -> Int {
        rowCount / slotGroup * slotGroup + blockCount * slotGroup
    }

    /// The words that blocks count in, for a list of up to `blockCount` blocks; zero before the first launch.
    static func counterCount(blockCount: Int, on device: Device) -> Int {
        firstCounter + device.multiprocessorCount + blockCount
    }

    /// The floats of sums over parts of a matrix's columns, which blocks leave to each other.
    func partialCount(on device: Device) -> Int { largestPartCount * device.multiprocessorCount * partFloatCount }

    /// Of each block of threads.
    private var largestPartCount: Int {
        shape.downBlockCount == 0 ? 0 : shape.upBlockCount == 0 ? 3 : shape.down.slabCount >= 64 ? 2 : 0
    }

    private var partFloatCount: Int { 64 * blockCount * rowCount }

    var launchBounds: String { "\(threadCount), 1" }
    var body: String { "moe_gemm<Gemm>(arguments);" }

    var declarations: [String] {
        let (up, down) = (shape.up, shape.down)
        let parameters = [
            down.format.deviceName, "\(shape.upBlockCount)", "\(up?.slabCount ?? 0)", "\(shape.downBlockCount)",
            "\(down.slabCount)", "\(shape.outputPitch)", shape.activation.deviceName, "\(hasOneRow)", "\(rowCount)",
            "\(gathers)",
        ]
        return [
            "typedef MoeGemm<\(parameters.joined(separator: ", "))> Gemm;",
            "static_assert(Gemm::kThreads == \(threadCount), \"as the host counts\");",
            "static_assert(Gemm::kSharedBytes == \(sharedByteCount), \"as the host counts\");",
            "static_assert(Gemm::kPartFloats == \(partFloatCount), \"as the host counts\");",
            "static_assert(Gemm::kLargestParts == \(largestPartCount), \"as the host counts\");",
            "static_assert(Gemm::kFirstCounter == \(Self.firstCounter), \"as the host counts\");",
            "static_assert(SLOT_GROUP == \(Self.slotGroup), \"as the host counts\");",
        ]
    }
}

internal import CUDA

/// The host side of `any/moe_pack.cu`: the rows of experts, or tokens, in the layout of the grouped product.
struct MoEPack: TemplateKernel, Equatable {
    /// `MoePackArguments` of the device file.
    struct Arguments: BitwiseCopyable, KernelArgument {
        /// Of rows.
        var routing: RoutingArgument
        var inputs: UInt64
        var packed: UInt64
        var inputPitch: UInt32
        /// Of rows.
        var slotCount: UInt32 = 0
        var tokenCount: UInt32
        /// Without a list of rows.
        var blockRowCount: UInt32 = 0
    }

    static let path = "any/moe_pack.cu"
    static let function = "pack"
    static let argumentsName = "MoePackArguments"
    /// Of one row and slab.
    static let rowByteCount = 128
    private static let threadCount = 256

    let slabCount: Int
    /// Whether tokens are packed, not rows.
    let packsTokens: Bool

    /// The bytes of so many packed rows.
    static func byteCount(rowCount: Int, pitch: Int) -> Int {
        rowCount * (pitch / SlabLayout.columnCount) * rowByteCount
    }

    var launchBounds: String { "\(Self.threadCount)" }
    var declarations: [String] {
        ["static_assert(PACKED_BYTES == \(Self.rowByteCount), \"as the host counts\");"]
    }
    var body: String { "\(packsTokens ? "pack_tokens" : "pack_rows")<\(slabCount)>(arguments);" }

    /// A launch for at least one token, and up to `blockCount` blocks of rows.
    func launch(tokenCount: Int, blockCount: Int) -> Launch {
        Launch(
            grid: Launch.Extent(
                packsTokens ? tokenCount.dividedRoundingUp(by: 8) : blockCount, slabCount.dividedRoundingUp(by: 8)),
            block: Launch.Extent(Self.threadCount), overlapsPrevious: true)
    }
}

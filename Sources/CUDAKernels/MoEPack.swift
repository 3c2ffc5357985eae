internal import CUDA

/// The host side of `any/moe_pack.cu`: the rows of experts, or tokens, in the layout of the grouped product.
struct MoEPack: TemplateKernel, Equatable {
    /// `MoePackArguments` of the device file.
    struct Arguments: BitwiseCopyable, KernelArgument {
        /// Of rows of experts.
        var routing: RoutingArgument
        var inputs: UInt64
        var packed: UInt64
        var inputPitch: UInt32
        /// Of rows.
        var slotCount: UInt32 = 0
        var tokenCount: UInt32
        /// Of tokens that are swizzled.
        var blockRowCount: UInt32 = 0
    }

    /// What is packed.
    enum Layout: Hashable {
        /// The rows of experts.
        case rows
        /// Tokens, for a product that gathers them.
        case tokens
        /// Tokens that are the rows of a product.
        case swizzledTokens
    }

    static let path = "any/moe_pack.cu"
    static let function = "pack"
    static let argumentsName = "MoePackArguments"
    /// Of one row and slab.
    static let rowByteCount = 128
    private static let threadCount = 256

    let slabCount: Int
    let layout: Layout

    /// The bytes of so many packed rows.
    static func byteCount(rowCount: Int, pitch: Int) -> Int {
        rowCount * (pitch / SlabLayout.columnCount) * rowByteCount
    }

    var launchBounds: String { "\(Self.threadCount)" }
    var declarations: [String] {
        ["static_assert(PACKED_BYTES == \(Self.rowByteCount), \"as the host counts\");"]
    }
    var body: String {
        switch layout {
        case .rows: "pack_rows<\(slabCount)>(arguments);"
        case .tokens: "pack_tokens<\(slabCount), false>(arguments);"
        case .swizzledTokens: "pack_tokens<\(slabCount), true>(arguments);"
        }
    }

    /// A launch for at least one token, and up to `blockCount` blocks of up to `rowCount` rows.
    func launch(tokenCount: Int, blockCount: Int, rowCount: Int) -> Launch {
        let slabs = slabCount.dividedRoundingUp(by: 8)
        return Launch(
            grid: layout == .rows
                ? Launch.Extent(blockCount, slabs, rowCount.dividedRoundingUp(by: 16))
                : Launch.Extent(tokenCount.dividedRoundingUp(by: 8), slabs),
            block: Launch.Extent(Self.threadCount), overlapsPrevious: true)
    }
}

internal import CUDA

/// The host side of `any/quantize_rows.cu`: rows of activations rounded to NVFP4, in BF16.
struct QuantizeRows: TemplateKernel, Hashable {
    /// How rows lie in memory: packed ones are outputs, slotted ones inputs.
    enum Layout: String, Sendable { case linear = "LINEAR", packed = "PACKED", slotted = "SLOTTED" }

    /// `QuantizeRowsArguments` of the device file; addresses may be 0 where the file says null.
    struct Arguments: BitwiseCopyable, KernelArgument {
        /// 0: rows 0 to `rowCount` of an expert, in blocks.
        var list: UInt64
        /// Rows of the input and of the output; 0: the row itself.
        var sources: UInt64 = 0
        var targets: UInt64 = 0
        var inputWeights: UInt64 = 0
        var sumWeights: UInt64 = 0
        /// `[E]`; 0: the row's own.
        var encodeScales: UInt64
        var input: UInt64
        var output: UInt64
        /// `[rows]`.
        var factors: UInt64
        /// Elements of a row, or rows (slots) of a slab.
        var inputPitch: UInt32
        var outputPitch: UInt32
        var rowCount: UInt32 = 0
        var blockRowCount: UInt32 = 0
        var expert: UInt32 = 0
        // The size is then a multiple of the alignment, as that of a structure in C++ is.
        var unused: UInt32 = 0
    }

    static let path = "any/quantize_rows.cu"
    static let function = "quantize_rows_of_experts"
    static let argumentsName = "QuantizeRowsArguments"
    private static let threadCount = 256

    let input: Layout
    let output: Layout
    /// The columns of a row, padding included.
    let columnCount: Int

    var launchBounds: String { "\(Self.threadCount)" }
    var body: String { "quantize_rows<\(input.rawValue), \(output.rawValue), \(columnCount / 16)>(arguments);" }

    /// A launch for a list of up to `blockCount` blocks of up to `rowCount` rows.
    static func launch(blockCount: Int, rowCount: Int) -> Launch {
        Launch(
            grid: Launch.Extent(min(max(1, blockCount), 4096), min(rowCount, 16)), block: Launch.Extent(threadCount),
            overlapsPrevious: true)
    }
}

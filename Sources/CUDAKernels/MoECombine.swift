internal import CUDA

/// The host side of `any/moe_combine.cu`: adds up the rows of every token.
struct MoECombine: TemplateKernel, Equatable {
    /// `MoeCombineArguments` of the device file.
    struct Arguments: BitwiseCopyable, KernelArgument {
        var rows: UInt64
        var tokenRows: UInt64
        var residual: UInt64
        var output: UInt64
        var tokenCount: UInt32
        // The size is then a multiple of the alignment, as that of a structure in C++ is.
        var unused: UInt32 = 0
    }

    static let path = "any/moe_combine.cu"
    static let function = "combine_rows"
    static let argumentsName = "MoeCombineArguments"
    private static let threadCount = 256

    let columnCount: Int
    let topK: Int

    init(columnCount: Int, topK: Int) {
        self.columnCount = columnCount
        self.topK = topK
    }

    /// For a layer whose tokens have several rows; nil for others.
    init?(for configuration: MoEConfiguration) {
        guard configuration.topK > 1 else { return nil }
        self.init(columnCount: configuration.shape.outputPitch, topK: configuration.topK)
    }

    var launchBounds: String { "\(Self.threadCount)" }
    var body: String { "moe_combine<\(columnCount), \(topK)>(arguments);" }

    /// A launch for so many tokens.
    func launch(tokenCount: Int, on device: Device) -> Launch {
        let blocks = (tokenCount * columnCount / 8).dividedRoundingUp(by: Self.threadCount)
        return Launch(
            grid: Launch.Extent(min(8 * device.multiprocessorCount, max(1, blocks))),
            block: Launch.Extent(Self.threadCount), overlapsPrevious: true)
    }
}

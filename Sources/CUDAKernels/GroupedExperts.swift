internal import CUDA
internal import Kernels

/// The throughput backend of a layer: rows are packed by expert, multiplied, and added up for each token.
struct GroupedExperts: Sendable {
    private let configuration: MoEConfiguration
    private let pack: Kernel
    private let gemm: Kernel
    private let gemmLaunch: Launch
    /// Where every token has one row, as in the shared expert, the product writes the output itself.
    private let oneRowGemm: Kernel
    private let combine: (kernel: Kernel, program: MoECombine)?
    private let packProgram: MoEPack
    private let sharedLists: TokenLists?

    /// Compiles the kernels, several at a time, and loads them.
    init(_ configuration: MoEConfiguration, loader: KernelLoader, on stream: Stream) throws(CUDAError) {
        let (shape, architecture) = (configuration.shape, loader.context.device.architecture)
        let product = MoEGemm(shape: shape, hasOneRow: configuration.topK == 1)
        let oneRowProduct = MoEGemm(shape: shape, hasOneRow: true)
        let combining = MoECombine(columnCount: shape.outputPitch, topK: configuration.topK)
        packProgram = MoEPack(slabCount: shape.inputPitch / SlabLayout.columnCount)
        let gemmProgram = try product.program(from: loader.sources, for: architecture)
        let needsOneRow = configuration.topK == 1 || configuration.hasSharedExpert
        let oneRowProgram = try (needsOneRow ? oneRowProduct : product).program(from: loader.sources, for: architecture)
        let packing = try packProgram.program(from: loader.sources, for: architecture)
        let combiningProgram = try combining.program(from: loader.sources, for: architecture)
        try loader.cache.compile([gemmProgram, oneRowProgram, packing, combiningProgram])
        func kernel(_ program: KernelProgram, _ name: String, _ sharedByteCount: Int = 0) throws(CUDAError) -> Kernel {
            try loader.cache.module(program, in: loader.context).kernel(name, dynamicSharedByteCount: sharedByteCount)
        }
        pack = try kernel(packing, MoEPack.function)
        gemm = try kernel(gemmProgram, MoEGemm.function, product.sharedByteCount)
        oneRowGemm = try kernel(oneRowProgram, MoEGemm.function, product.sharedByteCount)
        combine = configuration.topK > 1 ? (try kernel(combiningProgram, MoECombine.function), combining) : nil
        gemmLaunch = Launch(
            grid: Launch.Extent(loader.context.device.multiprocessorCount), block: Launch.Extent(MoEGemm.threadCount),
            dynamicSharedByteCount: product.sharedByteCount, overlapsPrevious: true)
        sharedLists =
            configuration.hasSharedExpert
            ? try TokenLists(
                configuration.maximumTokenCount, expert: configuration.expertCount,
                blockRowCount: MoEGemm.largestRowCount, on: stream) : nil
        self.configuration = configuration
    }

    /// Queues the experts.
    func enqueue(_ job: ExpertJob, _ memory: Memory, on stream: Stream) throws(CUDAError) {
        var residual = job.residual?.address ?? 0
        if let sharedLists {
            let routing = sharedLists.routing(tokenCount: job.tokenCount)
            let blockCount = job.tokenCount.dividedRoundingUp(by: MoEGemm.largestRowCount)
            try multiply(
                oneRowGemm, job, routing, rowCount: job.tokenCount, blockCount: blockCount, residual: residual,
                output: job.output.address, memory, on: stream)
            residual = job.output.address
        }
        let rowCount = job.tokenCount * configuration.topK
        let blockCount = configuration.blockCount(tokenCount: job.tokenCount)
        guard let combine, let slotRows = job.slotRows else {
            return try multiply(
                gemm, job, job.groupedRouting, rowCount: rowCount, blockCount: blockCount, residual: residual,
                output: job.output.address, memory, on: stream)
        }
        try multiply(
            gemm, job, job.groupedRouting, rowCount: rowCount, blockCount: blockCount, residual: 0,
            output: memory.rows.address, memory, on: stream)
        let arguments = MoECombine.Arguments(
            rows: memory.rows.address, tokenRows: slotRows.address, residual: residual, output: job.output.address,
            tokenCount: UInt32(job.tokenCount))
        try stream.launch(
            combine.kernel, combine.program.launch(tokenCount: job.tokenCount, on: stream.context.device), arguments)
    }

    private func multiply(
        _ kernel: Kernel, _ job: ExpertJob, _ routing: RoutingArgument, rowCount: Int, blockCount: Int,
        residual: UInt64, output: UInt64, _ memory: Memory, on stream: Stream
    ) throws(CUDAError) {
        let slotCount = UInt32(MoEPack.slotCount(rowCount: rowCount, blockCount: blockCount))
        let packing = MoEPack.Arguments(
            routing: routing, inputs: job.input.address, packed: memory.inputs.address,
            inputPitch: UInt32(configuration.rowPitch), slotCount: slotCount)
        try stream.launch(pack, packProgram.launch(blockCount: blockCount), packing)
        let weights = job.weights
        var arguments = MoEGemm.Arguments(
            routing: routing, upWeights: weights.up.address, downWeights: weights.down.address,
            inputs: memory.inputs.address, hidden: memory.hidden.address, output: output, residual: residual,
            upScales: weights.upScales.address, downScales: weights.downScales.address,
            counters: memory.counters.address, slotCount: slotCount)
        if configuration.hasBiases {
            arguments.upBiases = weights.upBiases.address
            arguments.downBiases = weights.downBiases.address
        }
        (arguments.limit, arguments.slope) = configuration.activation.constants
        arguments.weightsRowsOnInput = configuration.weightPlacement == .input ? 1 : 0
        try stream.launch(kernel, gemmLaunch, arguments)
    }
}

extension GroupedExperts {
    /// The memory that the backend uses while it runs.
    struct Memory: Sendable {
        /// Packed rows, of the layer's input and between the products.
        let inputs: DeviceBuffer<UInt8>
        let hidden: DeviceBuffer<UInt8>
        /// BF16 `[rows, row pitch]`, before they are added up; empty for one expert a token.
        let rows: DeviceBuffer<UInt16>
        /// Zero between launches.
        let counters: DeviceBuffer<UInt32>

        /// The bytes of all.
        static func byteCount(for configuration: MoEConfiguration) -> Int {
            let counts = counts(for: configuration)
            return counts.inputs + counts.hidden + 2 * counts.rows + 4 * counts.counters
        }

        init(_ configuration: MoEConfiguration, on stream: Stream) throws(CUDAError) {
            let counts = Self.counts(for: configuration)
            inputs = try DeviceBuffer(stream.context, count: counts.inputs)
            hidden = try DeviceBuffer(stream.context, count: counts.hidden)
            rows = try DeviceBuffer(stream.context, count: counts.rows)
            counters = try DeviceBuffer(stream.context, count: counts.counters)
            try stream.fill(counters, byte: 0)
        }

        private static func counts(
            for configuration: MoEConfiguration
        ) -> (inputs: Int, hidden: Int, rows: Int, counters: Int) {
            let tokenCount = configuration.maximumTokenCount
            let blockCount = configuration.blockCount(tokenCount: tokenCount)
            let slots = MoEPack.slotCount(rowCount: configuration.maximumRowCount, blockCount: blockCount)
            let shape = configuration.shape
            func packed(_ pitch: Int) -> Int { slots * (pitch / SlabLayout.columnCount) * MoEPack.rowByteCount }
            return (
                packed(shape.inputPitch), packed(shape.hiddenPitch),
                configuration.topK == 1 ? 0 : configuration.maximumRowCount * shape.outputPitch,
                MoEGemm.counterCount(blockCount: blockCount)
            )
        }
    }
}

extension MoEConfiguration {
    /// The blocks of 128 rows that so many tokens take, however they are divided among the experts.
    func blockCount(tokenCount: Int) -> Int {
        let rowCount = tokenCount * topK
        // The shared expert's tokens may take more: all are in blocks of one expert.
        return max(
            min(expertCount, rowCount) + rowCount / MoEGemm.largestRowCount,
            tokenCount.dividedRoundingUp(by: MoEGemm.largestRowCount))
    }
}

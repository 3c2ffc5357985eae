internal import CUDA
internal import Kernels

/// The throughput backend of a layer: rows are packed by expert, multiplied, and added up for each token.
struct GroupedExperts: Sendable {
    private let configuration: MoEConfiguration
    private let pack: Kernel
    private let packProgram: MoEPack
    private let products: [MoEGemm: Product]
    private let combine: (kernel: Kernel, program: MoECombine)?
    /// The tokens of the shared expert; nil without one.
    private let sharedLists: TokenLists?

    private struct Product {
        let kernel: Kernel
        let launch: Launch
    }

    /// Compiles the kernels, several at a time, and loads them.
    init(_ configuration: MoEConfiguration, loader: KernelLoader, on stream: Stream) throws(CUDAError) {
        let (shape, device) = (configuration.shape, loader.context.device)
        let (sources, architecture) = (loader.sources, device.architecture)
        func kernel(_ program: KernelProgram, _ name: String, _ sharedByteCount: Int = 0) throws(CUDAError) -> Kernel {
            try loader.cache.module(program, in: loader.context).kernel(name, dynamicSharedByteCount: sharedByteCount)
        }
        packProgram = MoEPack(slabCount: shape.inputPitch / SlabLayout.columnCount)
        let combining = MoECombine(columnCount: shape.outputPitch, topK: configuration.topK)
        let (packing, adding) = (
            try packProgram.program(from: sources, for: architecture),
            try combining.program(from: sources, for: architecture)
        )
        var programs: [(product: MoEGemm, program: KernelProgram)] = []
        for product in Self.products(for: configuration) {
            programs.append((product, try product.program(from: sources, for: architecture)))
        }
        try loader.cache.compile(programs.map(\.program) + [packing, adding])
        var products: [MoEGemm: Product] = [:]
        for (product, program) in programs {
            products[product] = Product(
                kernel: try kernel(program, MoEGemm.function, product.sharedByteCount),
                launch: Launch(
                    grid: Launch.Extent(device.multiprocessorCount), block: Launch.Extent(MoEGemm.threadCount),
                    dynamicSharedByteCount: product.sharedByteCount, overlapsPrevious: true))
        }
        self.products = products
        pack = try kernel(packing, MoEPack.function)
        combine = configuration.topK > 1 ? (try kernel(adding, MoECombine.function), combining) : nil
        sharedLists =
            configuration.hasSharedExpert
            ? try TokenLists(
                configuration.maximumTokenCount, expert: configuration.expertCount,
                blockRowCount: MoEGemm.rowCounts.many, on: stream) : nil
        self.configuration = configuration
    }

    /// The products of routed experts in either size of block, and that of a shared one.
    private static func products(for configuration: MoEConfiguration) -> Set<MoEGemm> {
        let (shape, hasOneRow, rowCounts) = (configuration.shape, configuration.topK == 1, MoEGemm.rowCounts)
        var products: Set = [
            MoEGemm(shape: shape, hasOneRow: hasOneRow, rowCount: rowCounts.few),
            MoEGemm(shape: shape, hasOneRow: hasOneRow, rowCount: rowCounts.many),
        ]
        if configuration.hasSharedExpert {
            products.insert(MoEGemm(shape: shape, hasOneRow: true, rowCount: rowCounts.many))
        }
        return products
    }

    /// Queues the experts.
    func enqueue(_ job: ExpertJob, _ memory: Memory, on stream: Stream) throws(CUDAError) {
        var residual = job.residual?.address ?? 0
        let (output, shape) = (job.output.address, configuration.shape)
        if let sharedLists {
            let product = MoEGemm(shape: shape, hasOneRow: true, rowCount: MoEGemm.rowCounts.many)
            try multiply(
                product, job, sharedLists.routing(tokenCount: job.tokenCount), rowCount: job.tokenCount,
                blockCount: job.tokenCount.dividedRoundingUp(by: product.rowCount), residual: residual, output: output,
                memory, on: stream)
            residual = output
        }
        let product = MoEGemm(shape: shape, hasOneRow: configuration.topK == 1, rowCount: job.groupedRowCount)
        try multiply(
            product, job, job.groupedRouting, rowCount: job.tokenCount * configuration.topK,
            blockCount: configuration.blockCount(tokenCount: job.tokenCount, rowCount: product.rowCount),
            residual: combine == nil ? residual : 0, output: combine == nil ? output : memory.rows.address, memory,
            on: stream)
        guard let combine else { return }
        let arguments = MoECombine.Arguments(
            rows: memory.rows.address, tokenRows: job.rows.slotRows.address, residual: residual, output: output,
            tokenCount: UInt32(job.tokenCount))
        try stream.launch(
            combine.kernel, combine.program.launch(tokenCount: job.tokenCount, on: stream.context.device), arguments)
    }

    private func multiply(
        _ gemm: MoEGemm, _ job: ExpertJob, _ routing: RoutingArgument, rowCount: Int, blockCount: Int,
        residual: UInt64, output: UInt64, _ memory: Memory, on stream: Stream
    ) throws(CUDAError) {
        guard let product = products[gemm] else {
            throw CUDAError(.unsupported, "MoE layer: \(gemm) was not loaded")
        }
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
        try stream.launch(product.kernel, product.launch, arguments)
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
            // The smaller blocks are more.
            let blockCount = max(
                configuration.blockCount(tokenCount: tokenCount, rowCount: MoEGemm.rowCounts.few),
                tokenCount.dividedRoundingUp(by: MoEGemm.rowCounts.many))
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

internal import CUDA
internal import Kernels

/// The throughput backend of a layer: rows are packed by expert, multiplied, and added up for each token.
struct GroupedExperts: Sendable {
    private let configuration: MoEConfiguration
    private let product: GroupedProduct
    private let combine: (kernel: Kernel, program: MoECombine)?

    /// Loads the kernels.
    init(_ configuration: MoEConfiguration, loader: KernelLoader) throws(CUDAError) {
        let shape = configuration.shape
        product = try GroupedProduct(
            Self.gemms(for: configuration), packing: Self.packing(for: configuration), inputPitch: shape.inputPitch,
            loader)
        if let combine = MoECombine(for: configuration) {
            self.combine = (try combine.load(loader), combine)
        } else {
            combine = nil
        }
        self.configuration = configuration
    }

    /// All kernels, those of the most rows, which take longest to compile, first.
    static func kernels(for configuration: MoEConfiguration) -> [any TemplateKernel] {
        let packs = GroupedProduct.packs(packing(for: configuration), inputPitch: configuration.shape.inputPitch)
        let products = gemms(for: configuration).sorted { $0.rowCount > $1.rowCount }
        return products + packs + [MoECombine(for: configuration)].compactMap { $0 }
    }

    /// The products of routed experts in each size of block, and those of a shared one.
    static func gemms(for configuration: MoEConfiguration) -> Set<MoEGemm> {
        var gemms: Set<MoEGemm> = []
        for rowCount in configuration.groupedRowCounts {
            let gemm = gemm(for: configuration, rowCount: rowCount)
            gemms.insert(gemm)
            if configuration.hasSharedExpert { gemms.insert(sharedGemm(beside: gemm)) }
        }
        return gemms
    }

    /// Packing each of a token's rows takes longer than gathering them costs the product, if they are many, or if few items
    /// read the same rows.
    private static func gemm(for configuration: MoEConfiguration, rowCount: Int) -> MoEGemm {
        let shape = configuration.shape
        let hasFewItems = shape.down.format.isFP4 && shape.upBlockCount <= largestGatheringBlockCount
        return MoEGemm(
            shape: shape, hasOneRow: configuration.topK == 1, rowCount: rowCount,
            gathers: configuration.topK > 1 && (rowCount > MoEGemm.rowCounts.few || hasFewItems))
    }

    /// The blocks of 64 gate and up rows up to which blocks of few token rows are gathered.
    ///
    /// Measured on an H100 (docs/kernels-gpu-notes.md): 24 gain, 90 lose.
    private static let largestGatheringBlockCount = 32

    private static func sharedGemm(beside gemm: MoEGemm) -> MoEGemm {
        MoEGemm(shape: gemm.shape, hasOneRow: true, rowCount: MoEGemm.denseRowCount, gathers: gemm.gathers)
    }

    /// What is packed for the products.
    private static func packing(for configuration: MoEConfiguration) -> Set<MoEPack.Layout> {
        var layouts: Set<MoEPack.Layout> = []
        for gemm in gemms(for: configuration) { layouts.insert(gemm.gathers ? .tokens : .rows) }
        if configuration.hasSharedExpert { layouts.insert(.swizzledTokens) }
        return layouts
    }

    /// Queues the experts.
    func enqueue(_ job: ExpertJob, _ memory: Memory, on stream: Stream) throws(CUDAError) {
        let gemm = Self.gemm(for: configuration, rowCount: job.groupedRowCount)
        var arguments = arguments(job, memory)
        arguments.residual = job.residual?.address ?? 0
        if configuration.hasSharedExpert {
            let shared = Self.sharedGemm(beside: gemm)
            try pack(
                job, memory, arguments.routing, rowCount: job.tokenCount,
                blockCount: job.tokenCount.dividedRoundingUp(by: shared.rowCount), &arguments, for: shared, on: stream)
            for expert in configuration.sharedExperts {
                arguments.tokenExpert = UInt32(expert)
                try product.multiply(
                    shared, arguments, followsPack: expert == configuration.sharedExperts.lowerBound, on: stream)
                arguments.residual = job.output.address
            }
        }
        arguments.routing = job.groupedRouting
        // Tokens that are gathered have been packed for the shared expert.
        let isPacked = configuration.hasSharedExpert && gemm.gathers
        try pack(
            job, memory, job.groupedRouting, rowCount: job.tokenCount * configuration.topK,
            blockCount: configuration.blockCount(tokenCount: job.tokenCount, rowCount: gemm.rowCount), &arguments,
            for: isPacked ? nil : gemm, on: stream)
        let residual = arguments.residual
        if combine != nil {
            arguments.residual = 0
            arguments.output = memory.rows.address
        }
        try product.multiply(gemm, arguments, followsPack: !isPacked, on: stream)
        guard let combine else { return }
        let sums = MoECombine.Arguments(
            rows: memory.rows.address, tokenRows: job.rows.slotRows.address, residual: residual,
            output: job.output.address, tokenCount: UInt32(job.tokenCount))
        try stream.launch(
            combine.kernel, combine.program.launch(tokenCount: job.tokenCount, on: stream.context.device), sums)
    }

    /// Queues the packing for a product, if it needs any, and notes how many slots its rows take.
    private func pack(
        _ job: ExpertJob, _ memory: Memory, _ routing: RoutingArgument, rowCount: Int, blockCount: Int,
        _ arguments: inout MoEGemm.Arguments, for gemm: MoEGemm?, on stream: Stream
    ) throws(CUDAError) {
        arguments.slotCount = UInt32(MoEGemm.slotCount(rowCount: rowCount, blockCount: blockCount))
        guard let gemm else { return }
        let packing = GroupedProduct.Packing(
            input: job.input, tokenCount: job.tokenCount, routing: routing, blockCount: blockCount,
            slotCount: arguments.slotCount, packed: memory.inputs)
        try product.pack(packing, for: gemm, on: stream)
    }

    /// What all products of a layer have in common.
    private func arguments(_ job: ExpertJob, _ memory: Memory) -> MoEGemm.Arguments {
        let weights = job.weights
        var arguments = MoEGemm.Arguments(
            routing: RoutingArgument(list: 0), upWeights: weights.up.address, downWeights: weights.down.address,
            inputs: memory.inputs.address, hidden: memory.hidden.address, output: job.output.address,
            counters: memory.counters.address, partials: memory.partials.address, tokenCount: UInt32(job.tokenCount))
        arguments.describe(weights, of: configuration)
        arguments.weightsRowsOnInput = configuration.weightPlacement == .input ? 1 : 0
        return arguments
    }
}

extension GroupedExperts {
    /// The memory that the backend uses while it runs.
    struct Memory: Sendable {
        /// Packed rows or tokens; empty for W4A4, which has rounded ones of its own.
        let inputs: DeviceBuffer<UInt8>
        /// Rows between the products.
        let hidden: DeviceBuffer<UInt8>
        /// BF16 `[rows, row pitch]`, before they are added up; empty for one expert a token.
        let rows: DeviceBuffer<UInt16>
        /// Zero between launches.
        let counters: DeviceBuffer<UInt32>
        /// Sums over parts of the second product's columns; empty for W4A4, whose kernels leave others.
        let partials: DeviceBuffer<Float>

        /// The bytes of all.
        static func byteCount(for configuration: MoEConfiguration, on device: Device) -> Int {
            let counts = Counts(configuration, on: device)
            return counts.inputs + counts.hidden + 2 * counts.rows + 4 * (counts.counters + counts.partials)
        }

        init(_ configuration: MoEConfiguration, on stream: Stream) throws(CUDAError) {
            let counts = Counts(configuration, on: stream.context.device)
            inputs = try DeviceBuffer(stream.context, count: counts.inputs)
            hidden = try DeviceBuffer(stream.context, count: counts.hidden)
            rows = try DeviceBuffer(stream.context, count: counts.rows)
            counters = try DeviceBuffer(stream.context, count: counts.counters)
            partials = try DeviceBuffer(stream.context, count: counts.partials)
            try stream.fill(counters, byte: 0)
        }
    }

    /// The elements of each piece of memory.
    private struct Counts {
        let inputs: Int, hidden: Int, rows: Int, counters: Int, partials: Int

        init(_ configuration: MoEConfiguration, on device: Device) {
            let (tokenCount, shape) = (configuration.maximumTokenCount, configuration.shape)
            // The smaller blocks are more.
            let blockCount = max(
                configuration.blockCount(tokenCount: tokenCount, rowCount: MoEGemm.rowCounts.few),
                tokenCount.dividedRoundingUp(by: MoEGemm.denseRowCount))
            let slotCount = MoEGemm.slotCount(rowCount: configuration.maximumRowCount, blockCount: blockCount)
            let isQuantized = configuration.activationPrecision == .nvfp4
            inputs = isQuantized ? 0 : MoEPack.byteCount(rowCount: slotCount, pitch: shape.inputPitch)
            hidden = MoEPack.byteCount(rowCount: slotCount, pitch: shape.hiddenPitch)
            rows = configuration.topK == 1 ? 0 : configuration.maximumRowCount * shape.outputPitch
            counters = MoEGemm.counterCount(blockCount: blockCount, on: device)
            let gemms = isQuantized ? [] : GroupedExperts.gemms(for: configuration)
            partials = gemms.map { $0.partialCount(on: device) }.max() ?? 0
        }
    }
}

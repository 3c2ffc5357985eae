internal import CUDA
internal import Kernels

/// The throughput backend of a layer: rows are packed by expert, multiplied, and added up for each token.
struct GroupedExperts: Sendable {
    private let configuration: MoEConfiguration
    private let product: GroupedProduct
    private let combine: (kernel: Kernel, program: MoECombine)?

    /// Compiles the kernels, several at a time, and loads them.
    init(_ configuration: MoEConfiguration, loader: KernelLoader) throws(CUDAError) {
        let shape = configuration.shape
        let combine = MoECombine(columnCount: shape.outputPitch, topK: configuration.topK)
        let program = try combine.program(from: loader.sources, for: loader.context.device.architecture)
        product = try GroupedProduct(
            Self.gemms(for: configuration), inputPitch: shape.inputPitch, with: configuration.topK > 1 ? [program] : [],
            loader)
        self.combine =
            configuration.topK > 1
            ? (try loader.cache.module(program, in: loader.context).kernel(MoECombine.function), combine) : nil
        self.configuration = configuration
    }

    /// The products of routed experts in either size of block, and that of a shared one.
    private static func gemms(for configuration: MoEConfiguration) -> Set<MoEGemm> {
        let (shape, hasOneRow, rowCounts) = (configuration.shape, configuration.topK == 1, MoEGemm.rowCounts)
        var gemms: Set = [
            MoEGemm(shape: shape, hasOneRow: hasOneRow, rowCount: rowCounts.few),
            MoEGemm(shape: shape, hasOneRow: hasOneRow, rowCount: rowCounts.many),
        ]
        if configuration.hasSharedExpert {
            gemms.insert(MoEGemm(shape: shape, hasOneRow: true, rowCount: rowCounts.many))
        }
        return gemms
    }

    /// Queues the experts.
    func enqueue(_ job: ExpertJob, _ memory: Memory, on stream: Stream) throws(CUDAError) {
        let shape = configuration.shape
        try product.pack(job.input, tokenCount: job.tokenCount, into: memory.inputs, on: stream)
        var arguments = arguments(job, memory)
        arguments.residual = job.residual?.address ?? 0
        if configuration.hasSharedExpert {
            let gemm = MoEGemm(shape: shape, hasOneRow: true, rowCount: MoEGemm.rowCounts.many)
            arguments.slotCount = slotCount(
                rowCount: job.tokenCount, blockCount: job.tokenCount.dividedRoundingUp(by: gemm.rowCount))
            for expert in configuration.sharedExperts {
                arguments.tokenExpert = UInt32(expert)
                try product.multiply(
                    gemm, arguments, followsPack: expert == configuration.sharedExperts.lowerBound, on: stream)
                arguments.residual = job.output.address
            }
        }
        let gemm = MoEGemm(shape: shape, hasOneRow: configuration.topK == 1, rowCount: job.groupedRowCount)
        arguments.routing = job.groupedRouting
        arguments.slotCount = slotCount(
            rowCount: job.tokenCount * configuration.topK,
            blockCount: configuration.blockCount(tokenCount: job.tokenCount, rowCount: gemm.rowCount))
        let residual = arguments.residual
        if combine != nil {
            arguments.residual = 0
            arguments.output = memory.rows.address
        }
        try product.multiply(gemm, arguments, followsPack: !configuration.hasSharedExpert, on: stream)
        guard let combine else { return }
        let sums = MoECombine.Arguments(
            rows: memory.rows.address, tokenRows: job.rows.slotRows.address, residual: residual,
            output: job.output.address, tokenCount: UInt32(job.tokenCount))
        try stream.launch(
            combine.kernel, combine.program.launch(tokenCount: job.tokenCount, on: stream.context.device), sums)
    }

    private func slotCount(rowCount: Int, blockCount: Int) -> UInt32 {
        UInt32(MoEGemm.slotCount(rowCount: rowCount, blockCount: blockCount))
    }

    /// What all products of a layer have in common.
    private func arguments(_ job: ExpertJob, _ memory: Memory) -> MoEGemm.Arguments {
        let weights = job.weights
        var arguments = MoEGemm.Arguments(
            routing: RoutingArgument(list: 0), upWeights: weights.up.address, downWeights: weights.down.address,
            inputs: memory.inputs.address, hidden: memory.hidden.address, output: job.output.address,
            upScales: weights.upScales.address, downScales: weights.downScales.address,
            counters: memory.counters.address, partials: memory.partials.address, tokenCount: UInt32(job.tokenCount))
        if configuration.hasBiases {
            arguments.upBiases = weights.upBiases.address
            arguments.downBiases = weights.downBiases.address
        }
        (arguments.limit, arguments.slope) = configuration.activation.constants
        arguments.weightsRowsOnInput = configuration.weightPlacement == .input ? 1 : 0
        return arguments
    }
}

extension GroupedExperts {
    /// The memory that the backend uses while it runs.
    struct Memory: Sendable {
        /// Packed tokens, and rows between the products.
        let inputs: DeviceBuffer<UInt8>
        let hidden: DeviceBuffer<UInt8>
        /// BF16 `[rows, row pitch]`, before they are added up; empty for one expert a token.
        let rows: DeviceBuffer<UInt16>
        /// Zero between launches.
        let counters: DeviceBuffer<UInt32>
        /// Sums over parts of the second product's columns.
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
                tokenCount.dividedRoundingUp(by: MoEGemm.rowCounts.many))
            inputs = MoEPack.byteCount(tokenCount: tokenCount, pitch: shape.inputPitch)
            hidden = MoEPack.byteCount(
                tokenCount: MoEGemm.slotCount(rowCount: configuration.maximumRowCount, blockCount: blockCount),
                pitch: shape.hiddenPitch)
            rows = configuration.topK == 1 ? 0 : configuration.maximumRowCount * shape.outputPitch
            counters = MoEGemm.counterCount(blockCount: blockCount, on: device)
            let gemms = GroupedExperts.gemms(for: configuration)
            partials = gemms.map { $0.partialCount(on: device) }.max() ?? 0
        }
    }
}

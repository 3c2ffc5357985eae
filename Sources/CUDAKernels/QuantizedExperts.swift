internal import CUDA
internal import Kernels

/// The experts of a layer whose activations are NVFP4 (W4A4): rows are rounded, multiplied, rounded again and multiplied, each
/// by a launch of its own, with the products of either backend.
struct QuantizedExperts: Sendable {
    private let configuration: MoEConfiguration
    private let scales: ExpertInputScales.OnDevice
    private let rounding: [QuantizeRows: Kernel]
    /// By rising numbers of tokens, for each product.
    private let streams: [ExpertShape.Products: [StreamEntry]]
    private let gemms: [MoEGemm: (kernel: Kernel, launch: Launch)]
    private let combine: (kernel: Kernel, program: MoECombine)?
    /// The tokens of the shared expert; empty without one.
    private let sharedLists: [MoEBackend: TokenLists]

    /// Compiles the kernels, several at a time, and loads them.
    ///
    /// - Throws: ``CUDA/CUDAError`` with code `unsupported` if the weights' input scales are ones that the kernels do not take.
    init(
        _ configuration: MoEConfiguration, _ resolution: MoEResolution, _ kernels: [MoEStream], _ weights: MoEWeights,
        loader: KernelLoader, on stream: Stream
    ) throws(CUDAError) {
        self.configuration = configuration
        scales = try weights.inputScales.onDevice(hasBiases: configuration.hasBiases, on: stream)
        var lists: [MoEBackend: TokenLists] = [:]
        var rounding: [QuantizeRows: Kernel] = [:]
        var streams: [ExpertShape.Products: [StreamEntry]] = [:]
        if resolution.uses(.latency) {
            for products in [ExpertShape.Products.up, .down] {
                streams[products] = try Self.load(kernels, products, loader)
            }
            for key in Self.rounding(configuration, .latency) { rounding[key] = try key.load(loader) }
            if configuration.hasSharedExpert {
                lists[.latency] = try TokenLists(
                    kernels.last?.tokenCount ?? 0, expert: configuration.expertCount,
                    blockRowCount: MoEStream.largestExpertRowCount, on: stream)
            }
        }
        if resolution.uses(.throughput) {
            for key in Self.rounding(configuration, .throughput) { rounding[key] = try key.load(loader) }
            if configuration.hasSharedExpert {
                lists[.throughput] = try TokenLists(
                    configuration.maximumTokenCount, expert: configuration.expertCount,
                    blockRowCount: MoEGemm.rowCounts.many, on: stream)
            }
            gemms = try Self.loadGemms(configuration, loader)
        } else {
            gemms = [:]
        }
        if resolution.uses(.throughput), configuration.topK > 1 {
            let combining = MoECombine(columnCount: configuration.shape.outputPitch, topK: configuration.topK)
            let program = try combining.program(from: loader.sources, for: loader.context.device.architecture)
            combine = (
                try loader.cache.module(program, in: loader.context).kernel(MoECombine.function), combining
            )
        } else {
            combine = nil
        }
        self.rounding = rounding
        self.streams = streams
        sharedLists = lists
    }

    /// How rows are rounded before the first and before the second product.
    private static func rounding(_ configuration: MoEConfiguration, _ backend: MoEBackend) -> [QuantizeRows] {
        let (shape, layout) = (configuration.shape, backend == .latency ? QuantizeRows.Layout.linear : .packed)
        return [
            QuantizeRows(input: .linear, output: layout, columnCount: shape.inputPitch),
            QuantizeRows(input: layout, output: layout, columnCount: shape.hiddenPitch),
        ]
    }

    private static func load(
        _ kernels: [MoEStream], _ products: ExpertShape.Products, _ loader: KernelLoader
    ) throws(CUDAError) -> [StreamEntry] {
        try StreamEntry.load(
            kernels.map { kernel in
                MoEStream(
                    kernel.shape.only(products), rowCount: kernel.rowCount, tokenCount: kernel.tokenCount,
                    pipeline: kernel.pipeline)
            }, loader)
    }

    private static func loadGemms(
        _ configuration: MoEConfiguration, _ loader: KernelLoader
    ) throws(CUDAError) -> [MoEGemm: (kernel: Kernel, launch: Launch)] {
        let (device, hasOneRow, rowCounts) = (loader.context.device, configuration.topK == 1, MoEGemm.rowCounts)
        var gemms = Set(
            [rowCounts.few, rowCounts.many].flatMap { rowCount in
                [
                    gemm(configuration, .up, hasOneRow: hasOneRow, rowCount),
                    gemm(configuration, .down, hasOneRow: hasOneRow, rowCount),
                ]
            })
        if configuration.hasSharedExpert { gemms.insert(gemm(configuration, .down, hasOneRow: true, rowCounts.many)) }
        var programs: [MoEGemm: KernelProgram] = [:]
        for gemm in gemms { programs[gemm] = try gemm.program(from: loader.sources, for: device.architecture) }
        try loader.cache.compile(Array(programs.values))
        var loaded: [MoEGemm: (kernel: Kernel, launch: Launch)] = [:]
        for (gemm, program) in programs {
            let kernel = try loader.cache.module(program, in: loader.context)
                .kernel(MoEGemm.function, dynamicSharedByteCount: gemm.sharedByteCount)
            loaded[gemm] = (
                kernel,
                Launch(
                    grid: Launch.Extent(device.multiprocessorCount), block: Launch.Extent(MoEGemm.threadCount),
                    dynamicSharedByteCount: gemm.sharedByteCount, overlapsPrevious: true)
            )
        }
        return loaded
    }

    private static func gemm(
        _ configuration: MoEConfiguration, _ products: ExpertShape.Products, hasOneRow: Bool, _ rowCount: Int
    ) -> MoEGemm {
        // Whose rows they are matters to the second product only.
        MoEGemm(
            shape: configuration.shape.only(products), hasOneRow: products == .up ? false : hasOneRow,
            rowCount: rowCount)
    }

    // MARK: - Launches

    /// Some rows of experts: those that were routed, or the shared expert's.
    private struct Rows {
        let routing: RoutingArgument
        let count: Int
        /// The rows of a block, and the blocks, at most.
        let blockRowCount: Int, blockCount: Int
        let hasOneRow: Bool
        let residual: UInt64, output: UInt64
    }

    /// Queues the experts.
    func enqueue(
        _ job: ExpertJob, _ backend: MoEBackend, _ workspace: MoEWorkspace, on stream: Stream
    ) throws(CUDAError) {
        var residual = job.residual?.address ?? 0
        let (tokenCount, output) = (job.tokenCount, job.output.address)
        let (few, many) = (MoEStream.largestExpertRowCount, MoEGemm.rowCounts.many)
        if let lists = sharedLists[backend] {
            let blockRowCount = backend == .latency ? few : many
            let rows = Rows(
                routing: lists.routing(tokenCount: tokenCount), count: tokenCount, blockRowCount: blockRowCount,
                blockCount: tokenCount.dividedRoundingUp(by: blockRowCount), hasOneRow: true, residual: residual,
                output: output)
            try enqueue(rows, job, backend, workspace, on: stream)
            residual = output
        }
        let blockRowCount = backend == .latency ? few : job.groupedRowCount
        let sums = backend == .throughput && combine != nil ? workspace.grouped?.rows.address : nil
        let rows = Rows(
            routing: backend == .latency ? job.streamedRouting : job.groupedRouting,
            count: tokenCount * configuration.topK, blockRowCount: blockRowCount,
            blockCount: configuration.blockCount(tokenCount: tokenCount, rowCount: blockRowCount),
            hasOneRow: configuration.topK == 1, residual: sums == nil ? residual : 0, output: sums ?? output)
        try enqueue(rows, job, backend, workspace, on: stream)
        guard let sums, let combine else { return }
        let arguments = MoECombine.Arguments(
            rows: sums, tokenRows: job.rows.slotRows.address, residual: residual, output: output,
            tokenCount: UInt32(tokenCount))
        try stream.launch(
            combine.kernel, combine.program.launch(tokenCount: tokenCount, on: stream.context.device), arguments)
    }

    private func enqueue(
        _ rows: Rows, _ job: ExpertJob, _ backend: MoEBackend, _ workspace: MoEWorkspace, on stream: Stream
    ) throws(CUDAError) {
        guard let memory = workspace.quantized,
            let inputs = backend == .latency ? memory.rows?.address : workspace.grouped?.inputs.address,
            let hidden = backend == .latency ? workspace.streamed?.hidden.address : workspace.grouped?.hidden.address
        else { throw CUDAError(.unsupported, "MoE layer: a workspace without memory for \(backend.rawValue)") }
        let slotCount = UInt32(MoEPack.slotCount(rowCount: rows.count, blockCount: rows.blockCount))
        let (rowTokens, rowWeights) = (rows.routing.rowTokens, rows.routing.rowWeights)
        let weighsInput = configuration.weightPlacement == .input
        let (inputPitch, hiddenPitch) = (UInt32(configuration.rowPitch), UInt32(configuration.shape.hiddenPitch))
        let steps = Self.rounding(configuration, backend)
        try round(
            steps[0], rows,
            QuantizeRows.Arguments(
                routing: rows.routing, inputWeights: weighsInput ? rowWeights : 0, encodeScales: scales.up.address,
                input: job.input.address, output: inputs, factors: memory.factors.address, inputPitch: inputPitch,
                outputPitch: inputPitch, slotCount: slotCount), on: stream)
        // The rounded rows are those of the experts, in order.
        let first = rows.routing.with(rowTokens: 0, rowWeights: memory.factors.address)
        let second = rows.routing.with(rowTokens: rowTokens, rowWeights: memory.factors.address)
        try multiply(.up, rows, first, inputs, hidden, job, backend, slotCount, workspace, on: stream)
        try round(
            steps[1], rows,
            QuantizeRows.Arguments(
                routing: first, sumWeights: weighsInput ? 0 : rowWeights, encodeScales: scales.down.address,
                input: hidden, output: hidden, factors: memory.factors.address, inputPitch: hiddenPitch,
                outputPitch: hiddenPitch, slotCount: slotCount), on: stream)
        try multiply(.down, rows, second, inputs, hidden, job, backend, slotCount, workspace, on: stream)
    }

    private func round(
        _ step: QuantizeRows, _ rows: Rows, _ arguments: QuantizeRows.Arguments, on stream: Stream
    ) throws(CUDAError) {
        guard let kernel = rounding[step] else { throw CUDAError(.unsupported, "MoE layer: \(step) was not loaded") }
        try stream.launch(
            kernel, QuantizeRows.launch(blockCount: rows.blockCount, rowCount: rows.blockRowCount), arguments)
    }

    private func multiply(
        _ products: ExpertShape.Products, _ rows: Rows, _ routing: RoutingArgument, _ inputs: UInt64,
        _ hidden: UInt64, _ job: ExpertJob, _ backend: MoEBackend, _ slotCount: UInt32, _ workspace: MoEWorkspace,
        on stream: Stream
    ) throws(CUDAError) {
        let weights = job.weights
        let (upBiases, downBiases) =
            configuration.hasBiases ? (weights.upBiases.address, weights.downBiases.address) : (0, 0)
        if backend == .latency {
            guard let entry = streams[products]?.first(where: { $0.stream.tokenCount >= job.tokenCount }) else {
                throw CUDAError(.unsupported, "MoE layer: no streaming kernel for \(job.tokenCount) tokens was loaded")
            }
            var arguments = MoEStream.Arguments(
                routing: routing, down: MoEStream.Operands(), output: rows.output,
                partials: workspace.streaming.partials.address, state: workspace.streaming.state.address,
                tokenCount: UInt32(job.tokenCount))
            arguments.up = MoEStream.Operands(
                weights: weights.up.address, inputs: inputs, pitch: configuration.rowPitch)
            arguments.down = MoEStream.Operands(
                weights: weights.down.address, inputs: hidden, pitch: configuration.shape.hiddenPitch)
            (arguments.hidden, arguments.residual) = (hidden, products == .down ? rows.residual : 0)
            (arguments.upScales, arguments.downScales) = (scales.upFactors.address, scales.downFactors.address)
            (arguments.upBiases, arguments.downBiases) = (upBiases, downBiases)
            (arguments.limit, arguments.slope) = configuration.activation.constants
            arguments.weightsRowsOnInput = products == .up ? 1 : 0
            return try stream.launch(entry.kernel, entry.launch(isEarly: false), arguments)
        }
        let gemm = Self.gemm(configuration, products, hasOneRow: rows.hasOneRow, rows.blockRowCount)
        guard let product = gemms[gemm], let memory = workspace.grouped else {
            throw CUDAError(.unsupported, "MoE layer: \(gemm) was not loaded")
        }
        var arguments = MoEGemm.Arguments(
            routing: routing, upWeights: weights.up.address, downWeights: weights.down.address, inputs: inputs,
            hidden: hidden, output: rows.output, residual: products == .down ? rows.residual : 0,
            upScales: scales.upFactors.address, downScales: scales.downFactors.address, upBiases: upBiases,
            downBiases: downBiases, counters: memory.counters.address, slotCount: slotCount)
        (arguments.limit, arguments.slope) = configuration.activation.constants
        arguments.weightsRowsOnInput = products == .up ? 1 : 0
        try stream.launch(product.kernel, product.launch, arguments)
    }
}

extension QuantizedExperts {
    /// The memory that W4A4 takes besides that of the backends.
    struct Memory: Sendable {
        /// The rounded rows of the latency backend, BF16 `[rows, row pitch]`; nil if it is not used.
        let rows: DeviceBuffer<UInt16>?
        /// What the sums of a row are multiplied by, `[rows]`.
        let factors: DeviceBuffer<Float>

        /// The bytes of all.
        static func byteCount(for configuration: MoEConfiguration, _ resolution: MoEResolution) -> Int {
            configuration.activationPrecision == .full
                ? 0 : 2 * rowElementCount(configuration, resolution) + 4 * configuration.maximumRowCount
        }

        init(_ configuration: MoEConfiguration, _ resolution: MoEResolution, _ context: Context) throws(CUDAError) {
            let count = Self.rowElementCount(configuration, resolution)
            rows = count > 0 ? try DeviceBuffer(context, count: count) : nil
            factors = try DeviceBuffer(context, count: configuration.maximumRowCount)
        }

        private static func rowElementCount(_ configuration: MoEConfiguration, _ resolution: MoEResolution) -> Int {
            resolution.lastTokenCount(of: .latency) * configuration.topK * configuration.rowPitch
        }
    }
}

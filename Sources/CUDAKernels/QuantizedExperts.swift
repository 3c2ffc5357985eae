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
    private let product: GroupedProduct?
    private let combine: (kernel: Kernel, program: MoECombine)?
    /// The tokens of each shared expert, for the latency backend.
    private let sharedLists: [TokenLists]

    /// Loads the kernels.
    ///
    /// - Throws: ``CUDA/CUDAError`` with code `unsupported` if the weights' input scales are ones that the kernels do not take.
    init(
        _ configuration: MoEConfiguration, _ resolution: MoEResolution, _ kernels: [MoEStream], _ weights: MoEWeights,
        loader: KernelLoader, on stream: Stream
    ) throws(CUDAError) {
        self.configuration = configuration
        scales = try weights.inputScales.onDevice(hasBiases: configuration.hasBiases, on: stream)
        var lists: [TokenLists] = []
        var rounding: [QuantizeRows: Kernel] = [:]
        var streams: [ExpertShape.Products: [StreamEntry]] = [:]
        if resolution.uses(.latency) {
            for products in [ExpertShape.Products.up, .down] {
                streams[products] = try StreamEntry.load(kernels.map { $0.only(products) }, loader)
            }
            for key in Self.rounding(configuration, .latency) { rounding[key] = try key.load(loader) }
            lists = try configuration.sharedExperts.map { expert throws(CUDAError) in
                try TokenLists(
                    kernels.last?.tokenCount ?? 0, expert: expert, blockRowCount: MoEStream.largestExpertRowCount,
                    on: stream)
            }
        }
        if resolution.uses(.throughput) {
            for key in Self.rounding(configuration, .throughput) { rounding[key] = try key.load(loader) }
            product = try GroupedProduct(
                Self.gemms(configuration), packing: [], inputPitch: configuration.shape.inputPitch, loader)
        } else {
            product = nil
        }
        if resolution.uses(.throughput), let combining = MoECombine(for: configuration) {
            combine = (try combining.load(loader), combining)
        } else {
            combine = nil
        }
        self.rounding = rounding
        self.streams = streams
        sharedLists = lists
    }

    /// How rows are rounded before the first and before the second product.
    static func rounding(_ configuration: MoEConfiguration, _ backend: MoEBackend) -> [QuantizeRows] {
        let shape = configuration.shape
        let (hidden, rounded): (QuantizeRows.Layout, QuantizeRows.Layout) =
            backend == .latency ? (.linear, .linear) : (.slotted, .packed)
        return [
            QuantizeRows(input: .linear, output: rounded, columnCount: shape.inputPitch),
            QuantizeRows(input: hidden, output: rounded, columnCount: shape.hiddenPitch),
        ]
    }

    /// All kernels, those of the most rows, which take longest to compile, first; `kernels` stream both products.
    static func kernels(
        for configuration: MoEConfiguration, _ resolution: MoEResolution, _ kernels: [MoEStream]
    ) -> [any TemplateKernel] {
        var all: [any TemplateKernel] = []
        if resolution.uses(.throughput) {
            all += gemms(configuration).sorted { $0.rowCount > $1.rowCount } + rounding(configuration, .throughput)
            if let combining = MoECombine(for: configuration) { all.append(combining) }
        }
        if resolution.uses(.latency) {
            all += kernels.flatMap { [$0.only(.up), $0.only(.down)] } + rounding(configuration, .latency)
        }
        return all
    }

    /// The products of routed experts in each size of block, and those of a shared one.
    static func gemms(_ configuration: MoEConfiguration) -> Set<MoEGemm> {
        let hasOneRow = configuration.topK == 1
        var gemms: Set<MoEGemm> = []
        for rowCount in configuration.groupedRowCounts {
            gemms.insert(gemm(configuration, .up, hasOneRow: hasOneRow, rowCount))
            gemms.insert(gemm(configuration, .down, hasOneRow: hasOneRow, rowCount))
        }
        if configuration.hasSharedExpert {
            gemms.insert(gemm(configuration, .up, hasOneRow: true, MoEGemm.denseRowCount))
            gemms.insert(gemm(configuration, .down, hasOneRow: true, MoEGemm.denseRowCount))
        }
        return gemms
    }

    private static func gemm(
        _ configuration: MoEConfiguration, _ products: ExpertShape.Products, hasOneRow: Bool, _ rowCount: Int
    ) -> MoEGemm {
        // Whose rows they are matters to the second product only.
        MoEGemm(
            shape: configuration.shape.only(products), hasOneRow: products == .up ? false : hasOneRow,
            rowCount: rowCount, gathers: true)
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
        /// Whose rows all tokens are, where there is no list.
        var expert = 0
    }

    /// Queues the experts.
    func enqueue(
        _ job: ExpertJob, _ backend: MoEBackend, _ workspace: MoEWorkspace, on stream: Stream
    ) throws(CUDAError) {
        var residual = job.residual?.address ?? 0
        let (tokenCount, output) = (job.tokenCount, job.output.address)
        let (few, many) = (MoEStream.largestExpertRowCount, MoEGemm.denseRowCount)
        for (index, expert) in configuration.sharedExperts.enumerated() {
            let blockRowCount = backend == .latency ? few : many
            let rows = Rows(
                routing: backend == .latency
                    ? sharedLists[index].routing(tokenCount: tokenCount) : RoutingArgument(list: 0),
                count: tokenCount, blockRowCount: blockRowCount,
                blockCount: tokenCount.dividedRoundingUp(by: blockRowCount), hasOneRow: true, residual: residual,
                output: output, expert: expert)
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
        let isStreamed = backend == .latency
        guard let memory = workspace.quantized,
            let hidden = isStreamed ? workspace.streamed?.hidden.address : workspace.grouped?.hidden.address
        else { throw CUDAError(.unsupported, "MoE layer: a workspace without memory for \(backend.rawValue)") }
        let steps = Self.rounding(configuration, backend)
        let (routing, rounded, factors) = (rows.routing, memory.rows.address, memory.factors.address)
        let weighsInput = configuration.weightPlacement == .input
        let (inputPitch, hiddenPitch) = (configuration.shape.inputPitch, configuration.shape.hiddenPitch)
        let slotCount = MoEGemm.slotCount(rowCount: rows.count, blockCount: rows.blockCount)
        // The rounded rows are those of the experts, in order, or where tokens have one each, those of the tokens.
        let ofRows = routing.with(rowTokens: 0, rowWeights: factors)
        let ofTokens = routing.with(rowTokens: routing.rowTokens, rowWeights: factors)
        try round(
            steps[0], rows,
            QuantizeRows.Arguments(
                list: routing.list, sources: routing.rowTokens, inputWeights: weighsInput ? routing.rowWeights : 0,
                encodeScales: scales.up.address, input: job.input.address, output: rounded, factors: factors,
                inputPitch: UInt32(inputPitch), outputPitch: UInt32(isStreamed ? inputPitch : rows.count)), on: stream)
        var second = QuantizeRows.Arguments(
            list: routing.list, sumWeights: weighsInput ? 0 : routing.rowWeights, encodeScales: scales.down.address,
            input: hidden, output: isStreamed ? hidden : rounded, factors: factors,
            inputPitch: UInt32(isStreamed ? hiddenPitch : slotCount),
            outputPitch: UInt32(isStreamed ? hiddenPitch : rows.count))
        if isStreamed {
            try enqueueStream(.up, rows, ofRows, rounded, hidden, job, workspace, on: stream)
            try round(steps[1], rows, second, on: stream)
            try enqueueStream(.down, rows, ofTokens, rounded, hidden, job, workspace, on: stream)
        } else {
            try multiply(.up, rows, ofRows, rounded, hidden, slotCount, job, workspace, on: stream)
            second.targets = rows.hasOneRow ? routing.rowTokens : 0
            try round(steps[1], rows, second, on: stream)
            try multiply(.down, rows, ofTokens, rounded, hidden, slotCount, job, workspace, on: stream)
        }
    }

    private func round(
        _ step: QuantizeRows, _ rows: Rows, _ arguments: QuantizeRows.Arguments, on stream: Stream
    ) throws(CUDAError) {
        guard let kernel = rounding[step] else { throw CUDAError(.unsupported, "MoE layer: \(step) was not loaded") }
        var arguments = arguments
        (arguments.rowCount, arguments.blockRowCount) = (UInt32(rows.count), UInt32(rows.blockRowCount))
        arguments.expert = UInt32(rows.expert)
        try stream.launch(
            kernel, QuantizeRows.launch(blockCount: rows.blockCount, rowCount: rows.blockRowCount), arguments)
    }

    /// Queues a product of the latency backend.
    private func enqueueStream(
        _ products: ExpertShape.Products, _ rows: Rows, _ routing: RoutingArgument, _ inputs: UInt64,
        _ hidden: UInt64, _ job: ExpertJob, _ workspace: MoEWorkspace, on stream: Stream
    ) throws(CUDAError) {
        guard let entry = streams[products]?.first(where: { $0.stream.tokenCount >= job.tokenCount }) else {
            throw CUDAError(.unsupported, "MoE layer: no streaming kernel for \(job.tokenCount) tokens was loaded")
        }
        let weights = job.weights
        var arguments = MoEStream.Arguments(
            routing: routing,
            down: MoEStream.Operands(
                weights: weights.down.address, inputs: hidden, pitch: configuration.shape.hiddenPitch),
            output: rows.output, partials: workspace.streaming.partials.address,
            state: workspace.streaming.state.address, tokenCount: UInt32(job.tokenCount))
        arguments.up = MoEStream.Operands(weights: weights.up.address, inputs: inputs, pitch: configuration.rowPitch)
        (arguments.hidden, arguments.residual) = (hidden, products == .down ? rows.residual : 0)
        arguments.describe(weights, scales: scales, of: configuration)
        arguments.weightsRowsOnInput = products == .up ? 1 : 0
        try stream.launch(entry.kernel, entry.launch(isEarly: false), arguments)
    }

    /// Queues a product of the throughput backend.
    private func multiply(
        _ products: ExpertShape.Products, _ rows: Rows, _ routing: RoutingArgument, _ inputs: UInt64,
        _ hidden: UInt64, _ slotCount: Int, _ job: ExpertJob, _ workspace: MoEWorkspace, on stream: Stream
    ) throws(CUDAError) {
        guard let product, let memory = workspace.grouped, let quantized = workspace.quantized else {
            throw CUDAError(.unsupported, "MoE layer: the grouped product was not loaded")
        }
        let weights = job.weights
        var arguments = MoEGemm.Arguments(
            routing: routing, upWeights: weights.up.address, downWeights: weights.down.address, inputs: inputs,
            hidden: hidden, output: rows.output, residual: products == .down ? rows.residual : 0,
            counters: memory.counters.address, partials: quantized.partials.address, slotCount: UInt32(slotCount),
            tokenCount: UInt32(rows.count))
        arguments.describe(weights, scales: scales, of: configuration)
        arguments.weightsRowsOnInput = products == .up ? 1 : 0
        arguments.tokenExpert = UInt32(rows.expert)
        // The factors are written by the launch before.
        try product.multiply(
            Self.gemm(configuration, products, hasOneRow: rows.hasOneRow, rows.blockRowCount), arguments,
            followsPack: false, on: stream)
    }
}

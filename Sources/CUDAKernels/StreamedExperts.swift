internal import CUDA
internal import Kernels

/// The latency backend of a layer: one launch that streams the weights of the experts hit.
struct StreamedExperts: Sendable {
    private let configuration: MoEConfiguration
    /// By rising numbers of tokens.
    private let entries: [StreamEntry]
    /// For one token whose routing is known early, in place of the first.
    private let early: StreamEntry?
    /// The tokens of each shared expert.
    private let sharedLists: [TokenLists]

    /// Loads the kernels.
    init(
        _ configuration: MoEConfiguration, _ kernels: [MoEStream], loader: KernelLoader, on stream: Stream
    ) throws(CUDAError) {
        let earlyKernel = MoEStream.early(configuration, on: loader.context.device)
        let loaded = try StreamEntry.load(kernels + [earlyKernel].compactMap { $0 }, loader)
        entries = Array(loaded.prefix(kernels.count))
        early = earlyKernel == nil ? nil : loaded.last
        sharedLists = try configuration.sharedExperts.map { expert throws(CUDAError) in
            try TokenLists(
                kernels.last?.tokenCount ?? 0, expert: expert, blockRowCount: MoEStream.largestExpertRowCount,
                on: stream)
        }
        self.configuration = configuration
    }

    /// Whether a launch routes so many tokens by itself.
    func routes(tokenCount: Int) -> Bool { entry(tokenCount)?.stream.route != nil }

    private func entry(_ tokenCount: Int, isEarly: Bool = false) -> StreamEntry? {
        if isEarly, tokenCount == 1, let early { return early }
        return entries.first { $0.stream.tokenCount >= tokenCount }
    }

    /// Queues the experts.
    func enqueue(
        _ job: ExpertJob, _ memory: Memory, _ streaming: StreamWorkspace, on stream: Stream
    ) throws(CUDAError) {
        guard let entry = entry(job.tokenCount, isEarly: job.routingIsEarly) else {
            throw CUDAError(.unsupported, "MoE layer: no streaming kernel for \(job.tokenCount) tokens was loaded")
        }
        var arguments = arguments(job, memory, streaming)
        arguments.residual = job.residual?.address ?? 0
        for lists in sharedLists {
            arguments.routing = lists.routing(tokenCount: job.tokenCount)
            // These lists never change; the routing of the others runs at the same time.
            arguments.routingIsEarly = 1
            arguments.cut = entry.cut(expertCount: 1)
            try stream.launch(entry.kernel, entry.launch(isEarly: false), arguments)
            arguments.residual = job.output.address
        }
        arguments.routing = job.streamedRouting
        if let unrouted = job.unrouted {
            arguments.logits = unrouted.address
            arguments.routerBiases = unrouted.biases
            arguments.routerFactor = unrouted.factor
        }
        arguments.routingIsEarly = job.routingIsEarly ? 1 : 0
        arguments.cut = entry.cut(expertCount: min(job.tokenCount * configuration.topK, configuration.expertCount))
        try stream.launch(entry.kernel, entry.launch(isEarly: job.routingIsEarly), arguments)
    }

    private func arguments(
        _ job: ExpertJob, _ memory: Memory, _ streaming: StreamWorkspace
    ) -> MoEStream.Arguments {
        let weights = job.weights
        var arguments = MoEStream.Arguments(
            routing: job.streamedRouting,
            down: MoEStream.Operands(weights.down, memory.hidden, pitch: configuration.shape.hiddenPitch),
            output: job.output.address, partials: streaming.partials.address, state: streaming.state.address,
            tokenCount: UInt32(job.tokenCount))
        arguments.up = MoEStream.Operands(weights.up, job.input, pitch: configuration.rowPitch)
        arguments.hidden = memory.hidden.address
        arguments.packets = memory.packets.address
        arguments.describe(weights, of: configuration)
        arguments.weightsRowsOnInput = configuration.weightPlacement == .input ? 1 : 0
        return arguments
    }
}

extension StreamedExperts {
    /// The memory that the backend uses while it runs.
    struct Memory: Sendable {
        /// BF16 `[rows, hidden pitch]`, zero beyond `I`.
        let hidden: DeviceBuffer<UInt16>
        /// The same from kernels that send packets: pairs, each with the number of the launch that wrote it.
        let packets: DeviceBuffer<UInt64>

        /// The bytes of both.
        static func byteCount(for configuration: MoEConfiguration) -> Int {
            2 * hiddenCount(configuration) + 8 * packetCount(configuration)
        }

        init(_ configuration: MoEConfiguration, on stream: Stream) throws(CUDAError) {
            hidden = try DeviceBuffer(stream.context, count: Self.hiddenCount(configuration))
            packets = try DeviceBuffer(stream.context, count: Self.packetCount(configuration))
            try stream.fill(hidden, byte: 0)
            try stream.fill(packets, byte: 0)
        }

        private static func packetCount(_ configuration: MoEConfiguration) -> Int {
            min(configuration.maximumTokenCount, MoEStream.largestPacketTokenCount) * configuration.topK
                * configuration.shape.hiddenPitch / 2
        }

        private static func hiddenCount(_ configuration: MoEConfiguration) -> Int {
            let tokenCount = min(configuration.maximumTokenCount, MoEStream.tokenCounts.last ?? 0)
            return tokenCount * configuration.topK * configuration.shape.hiddenPitch
        }
    }
}

public import CUDA
public import Kernels

/// A matrix product on a GPU: attention projections, the head.
///
/// Nothing is allocated and nothing is waited for after ``init(_:maximumTokenCount:loader:on:)``, so a launch can be
/// captured in a graph. Rows of activations are BF16, with ``inputPitch`` and ``outputPitch`` elements.
///
/// As with ``MoELayer``, launches of layers on one GPU follow each other, in one stream or by events: the streaming kernel
/// waits for all of its own blocks, which take the whole GPU.
public final class LinearLayer: Sendable {
    /// The matrix.
    public let weights: LinearWeights
    /// The most tokens of a launch.
    public let maximumTokenCount: Int

    /// For few tokens, by rising numbers of them.
    private let streaming: [StreamEntry]
    private let lists: TokenLists
    /// For more tokens; nil if there never are.
    private let grouped: GroupedMatrix?
    /// Where activations are rounded to NVFP4.
    private let quantized: QuantizedRows?

    /// Up to so many tokens the streaming kernel is faster.
    ///
    /// Measured on an H100 with NVFP4, 5120 x 5120 (docs/kernels-gpu-notes.md).
    private static let streamedTokenCount = 16

    /// Chooses the kernels and loads them.
    ///
    /// - Parameters:
    ///   - weights: the matrix, on the loader's GPU.
    ///   - maximumTokenCount: the most tokens of a launch, up to 65280.
    ///   - activationPrecision: with NVFP4 (W4A4), for NVFP4 weights only, rows are rounded before they are multiplied, in
    ///     memory that the layer has: its launches then follow each other in one stream.
    ///   - loader: the GPU and its kernels.
    ///   - stream: copies what kernels read in every launch.
    /// - Throws: ``CUDA/CUDAError`` with code `unsupported` and the reason if no kernel computes the matrix on this GPU, or that
    ///   of the compiler or the driver.
    public init(
        _ weights: LinearWeights, maximumTokenCount: Int, activationPrecision: ActivationPrecision = .full,
        loader: KernelLoader, on stream: Stream
    ) throws(CUDAError) {
        try activationPrecision.requireOnGPU("linear layer")
        let device = loader.context.device
        guard 1...Route.largestTokenCount ~= maximumTokenCount else {
            throw CUDAError(
                .unsupported,
                "linear layer: \(maximumTokenCount) tokens, expected 1 to \(Route.largestTokenCount)")
        }
        let groupedRefusal = GroupedMatrix.refusal(weights.shape, on: device)
        let streamedCount =
            groupedRefusal == nil
            ? min(maximumTokenCount, Self.streamedTokenCount) : maximumTokenCount
        let kernels = MoEStream.kernels(for: weights.shape, maximumTokenCount: streamedCount, on: device)
        let isStreamed = kernels.last.map { $0.tokenCount >= maximumTokenCount } ?? false
        if let groupedRefusal, !isStreamed {
            throw CUDAError(
                .unsupported,
                "linear layer: \(MoEStream.refusal(tokenCount: maximumTokenCount, on: device)); \(groupedRefusal)")
        }
        try loader.compile((isStreamed ? [] : GroupedMatrix.kernels(for: weights.shape)) + kernels)
        streaming = try StreamEntry.load(kernels, loader)
        lists = try TokenLists(
            max(1, min(maximumTokenCount, kernels.last?.tokenCount ?? 0)), expert: 0,
            blockRowCount: MoEStream.largestRowCount, on: stream)
        grouped = isStreamed ? nil : try GroupedMatrix(weights.shape, loader: loader)
        groupedCounts =
            isStreamed ? nil : GroupedMatrix.Counts(weights.shape, tokenCount: maximumTokenCount, on: device)
        quantized =
            activationPrecision == .nvfp4
            ? try QuantizedRows(weights, tokenCount: maximumTokenCount, loader: loader, on: stream) : nil
        self.weights = weights
        self.maximumTokenCount = maximumTokenCount
    }

    /// The memory of the grouped product; nil if no number of tokens takes it.
    let groupedCounts: GroupedMatrix.Counts?

    /// The elements from one row of the input to the next: the columns up to a multiple of 64, those beyond them zero.
    public var inputPitch: Int { weights.shape.inputPitch }
    /// The elements from one row of the output to the next: the rows up to a multiple of 64, those beyond them zero.
    public var outputPitch: Int { weights.shape.outputPitch }

    /// Queues `output[t] = residual[t] + W · input[t]`.
    ///
    /// - Parameters:
    ///   - tokenCount: `T`, at most ``maximumTokenCount``; 0 queues nothing.
    ///   - input: `[T, inputPitch]`, BF16, zero beyond the columns.
    ///   - residual: `[T, outputPitch]`, BF16, added; may be the output. Nil for none.
    ///   - output: `[T, outputPitch]`, BF16; every element is written.
    ///   - workspace: made for this layer, among others; no other stream uses it meanwhile.
    /// - Throws: ``CUDA/CUDAError`` with code `invalidArgument` before anything is queued if sizes do not fit, or that of the
    ///   launch.
    public func enqueue(
        tokenCount: Int, input: DeviceBuffer<UInt16>, residual: DeviceBuffer<UInt16>? = nil,
        output: DeviceBuffer<UInt16>, workspace: LinearWorkspace, on stream: Stream
    ) throws(CUDAError) {
        guard tokenCount != 0 else { return }
        guard 1...maximumTokenCount ~= tokenCount else {
            throw CUDAError(
                .invalidArgument, "linear layer: \(tokenCount) tokens, expected 0 to \(maximumTokenCount)")
        }
        try input.checkRows(tokenCount, pitch: inputPitch, "linear layer: input")
        try output.checkRows(tokenCount, pitch: outputPitch, "linear layer: output")
        try residual?.checkRows(tokenCount, pitch: outputPitch, "linear layer: residual")
        let rows = quantized?.rows ?? input
        if let entry = streaming.first(where: { $0.stream.tokenCount >= tokenCount }) {
            try quantized?.enqueue(input, tokenCount: tokenCount, on: stream)
            try enqueue(entry, tokenCount, rows, residual, output, workspace.streaming, on: stream)
        } else if let grouped, let memory = workspace.memory(for: self) {
            try quantized?.enqueue(input, tokenCount: tokenCount, on: stream)
            try grouped.enqueue(
                tokenCount: tokenCount, weights, quantized, input: rows, residual: residual, output: output, memory,
                on: stream)
        } else {
            throw CUDAError(.invalidArgument, "linear layer: a workspace for other layers or fewer tokens")
        }
    }

    private func enqueue(
        _ entry: StreamEntry, _ tokenCount: Int, _ input: DeviceBuffer<UInt16>, _ residual: DeviceBuffer<UInt16>?,
        _ output: DeviceBuffer<UInt16>, _ workspace: StreamWorkspace, on stream: Stream
    ) throws(CUDAError) {
        let routing = lists.routing(tokenCount: tokenCount)
            .with(rowTokens: 0, rowWeights: quantized?.factors.address ?? 0)
        var arguments = MoEStream.Arguments(
            routing: routing, down: MoEStream.Operands(weights.slabs, input, pitch: inputPitch),
            output: output.address, partials: workspace.partials.address, state: workspace.state.address,
            tokenCount: UInt32(tokenCount))
        arguments.residual = residual?.address ?? 0
        arguments.downScales = (quantized?.scale ?? weights.scale).address
        arguments.rowScales = weights.rowScales.count > 0 ? weights.rowScales.address : 0
        arguments.routingIsEarly = 1
        try stream.launch(entry.kernel, entry.launch(isEarly: quantized == nil), arguments)
    }
}

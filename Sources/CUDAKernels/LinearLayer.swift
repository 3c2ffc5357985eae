public import CUDA
public import Kernels

/// A matrix product of a few tokens on a GPU: attention projections, the head.
///
/// Nothing is allocated and nothing is waited for after ``init(_:maximumTokenCount:loader:on:)``, so a launch can be
/// captured in a graph. Rows of activations are BF16, with ``inputPitch`` and ``outputPitch`` elements.
public final class LinearLayer: Sendable {
    /// The matrix.
    public let weights: LinearWeights
    /// The most tokens of a launch.
    public let maximumTokenCount: Int

    /// By rising numbers of tokens.
    private let streaming: [StreamEntry]
    private let lists: TokenLists
    /// Where activations are rounded to NVFP4.
    private let quantized: QuantizedRows?

    /// Chooses the kernels and loads them.
    ///
    /// - Parameter activationPrecision: with NVFP4 (W4A4), for NVFP4 weights only, rows are rounded before they are multiplied,
    ///   in memory that the layer has: its launches then follow each other in one stream.
    /// - Throws: ``CUDA/CUDAError`` with code `unsupported` and the reason if no kernel computes the matrix on this GPU, or that
    ///   of the compiler or the driver.
    public init(
        _ weights: LinearWeights, maximumTokenCount: Int, activationPrecision: ActivationPrecision = .full,
        loader: KernelLoader, on stream: Stream
    ) throws(CUDAError) {
        let device = loader.context.device
        let largest = MoEStream.tokenCounts.last ?? 0
        guard 1...largest ~= maximumTokenCount else {
            throw CUDAError(.unsupported, "linear layer: \(maximumTokenCount) tokens, expected 1 to \(largest)")
        }
        let kernels = MoEStream.kernels(for: weights.shape, maximumTokenCount: maximumTokenCount, on: device)
        guard let last = kernels.last, last.tokenCount >= maximumTokenCount else {
            throw CUDAError(
                .unsupported,
                "linear layer: \(MoEStream.refusal(tokenCount: maximumTokenCount, on: device))")
        }
        streaming = try StreamEntry.load(kernels, loader)
        lists = try TokenLists(maximumTokenCount, expert: 0, blockRowCount: MoEStream.largestRowCount, on: stream)
        quantized =
            activationPrecision == .nvfp4
            ? try QuantizedRows(weights, tokenCount: maximumTokenCount, loader: loader, on: stream) : nil
        self.weights = weights
        self.maximumTokenCount = maximumTokenCount
    }

    /// The elements from one row of the input to the next: the columns up to a multiple of 64, those beyond them zero.
    public var inputPitch: Int { weights.shape.inputPitch }
    /// The elements from one row of the output to the next: the rows up to a multiple of 64, those beyond them zero.
    public var outputPitch: Int { weights.shape.outputPitch }

    /// Queues `output[t] = residual[t] + W · input[t]`.
    ///
    /// - Parameters:
    ///   - input: `[T, inputPitch]`, BF16.
    ///   - residual: `[T, outputPitch]`, BF16, added; may be the output. Nil for none.
    ///   - output: `[T, outputPitch]`, BF16; every element is written.
    ///   - workspace: no other stream uses it meanwhile.
    /// - Throws: ``CUDA/CUDAError`` with code `invalidArgument` before anything is queued if sizes do not fit, or that of the
    ///   launch.
    public func enqueue(
        tokenCount: Int, input: DeviceBuffer<UInt16>, residual: DeviceBuffer<UInt16>? = nil,
        output: DeviceBuffer<UInt16>, workspace: StreamWorkspace, on stream: Stream
    ) throws(CUDAError) {
        guard tokenCount != 0 else { return }
        guard let entry = entry(tokenCount) else {
            throw CUDAError(
                .invalidArgument, "linear layer: \(tokenCount) tokens, expected 0 to \(maximumTokenCount)")
        }
        try input.checkRows(tokenCount, pitch: inputPitch, "linear layer: input")
        try output.checkRows(tokenCount, pitch: outputPitch, "linear layer: output")
        try residual?.checkRows(tokenCount, pitch: outputPitch, "linear layer: residual")
        var routing = lists.routing(tokenCount: tokenCount)
        if let quantized {
            try quantized.enqueue(input, routing, tokenCount: tokenCount, on: stream)
            routing = routing.with(rowTokens: 0, rowWeights: quantized.factors.address)
        }
        var arguments = MoEStream.Arguments(
            routing: routing, down: MoEStream.Operands(weights.slabs, quantized?.rows ?? input, pitch: inputPitch),
            output: output.address, partials: workspace.partials.address, state: workspace.state.address,
            tokenCount: UInt32(tokenCount))
        arguments.residual = residual?.address ?? 0
        arguments.downScales = (quantized?.scale ?? weights.scale).address
        arguments.rowScales = weights.rowScales.count > 0 ? weights.rowScales.address : 0
        arguments.routingIsEarly = 1
        try stream.launch(entry.kernel, entry.launch(isEarly: quantized == nil), arguments)
    }

    private func entry(_ tokenCount: Int) -> StreamEntry? {
        guard 1...maximumTokenCount ~= tokenCount else { return nil }
        return streaming.first { $0.stream.tokenCount >= tokenCount }
    }
}

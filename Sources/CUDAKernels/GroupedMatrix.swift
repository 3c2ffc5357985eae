internal import CUDA

/// The grouped product of one matrix: a linear layer for many tokens.
struct GroupedMatrix: Sendable {
    private let gemm: MoEGemm
    private let product: GroupedProduct

    /// Compiles the kernels and loads them.
    init(_ shape: ExpertShape, loader: KernelLoader) throws(CUDAError) {
        gemm = Self.gemm(shape)
        product = try GroupedProduct([gemm], inputPitch: shape.inputPitch, loader)
    }

    private static func gemm(_ shape: ExpertShape) -> MoEGemm {
        // FP8 fragments leave registers for the sums of 64 rows.
        let rowCounts = MoEGemm.rowCounts
        return MoEGemm(
            shape: shape, hasOneRow: true, rowCount: shape.down.format == .float8 ? rowCounts.few : rowCounts.many)
    }

    /// Why a GPU cannot compute such products; nil if it can.
    static func refusal(_ shape: ExpertShape, on device: Device) -> String? { gemm(shape).refusal(on: device) }

    /// Queues the product.
    func enqueue(
        tokenCount: Int, _ weights: LinearWeights, _ quantized: QuantizedRows?, input: DeviceBuffer<UInt16>,
        residual: DeviceBuffer<UInt16>?, output: DeviceBuffer<UInt16>, _ memory: Memory, on stream: Stream
    ) throws(CUDAError) {
        try product.pack(input, tokenCount: tokenCount, into: memory.inputs, on: stream)
        var arguments = MoEGemm.Arguments(
            routing: RoutingArgument(list: 0).with(rowTokens: 0, rowWeights: quantized?.factors.address ?? 0),
            downWeights: weights.slabs.address, inputs: memory.inputs.address,
            output: output.address, counters: memory.counters.address, partials: memory.partials.address,
            tokenCount: UInt32(tokenCount))
        arguments.residual = residual?.address ?? 0
        arguments.downScales = (quantized?.scale ?? weights.scale).address
        arguments.rowScales = weights.rowScales.count > 0 ? weights.rowScales.address : 0
        try product.multiply(gemm, arguments, on: stream)
    }
}

extension GroupedMatrix {
    /// The memory that products use while they run, one after another.
    struct Memory: Sendable {
        /// Packed tokens.
        let inputs: DeviceBuffer<UInt8>
        /// Zero between launches.
        let counters: DeviceBuffer<UInt32>
        /// Sums over parts of the columns.
        let partials: DeviceBuffer<Float>

        /// Memory for any of some matrices, each with its most tokens.
        init(_ uses: [(shape: ExpertShape, tokenCount: Int)], on stream: Stream) throws(CUDAError) {
            let device = stream.context.device
            func largest(_ count: (ExpertShape, Int) -> Int) -> Int {
                uses.map { count($0.shape, $0.tokenCount) }.max() ?? 0
            }
            inputs = try DeviceBuffer(
                stream.context, count: largest { MoEPack.byteCount(tokenCount: $1, pitch: $0.inputPitch) })
            counters = try DeviceBuffer(
                stream.context,
                count: largest { _, tokenCount in
                    MoEGemm.counterCount(
                        blockCount: tokenCount.dividedRoundingUp(by: MoEGemm.rowCounts.few), on: device)
                })
            partials = try DeviceBuffer(
                stream.context, count: largest { shape, _ in GroupedMatrix.gemm(shape).partialCount(on: device) })
            try stream.fill(counters, byte: 0)
        }
    }
}

internal import CUDA

/// The grouped product of one matrix: a linear layer for many tokens.
struct GroupedMatrix: Sendable {
    private let gemm: MoEGemm
    private let product: GroupedProduct

    private static let packing: Set<MoEPack.Layout> = [.swizzledTokens]

    /// Loads the kernels.
    init(_ shape: ExpertShape, loader: KernelLoader) throws(CUDAError) {
        gemm = Self.gemm(shape)
        product = try GroupedProduct([gemm], packing: Self.packing, inputPitch: shape.inputPitch, loader)
    }

    /// All kernels, the one that takes longest to compile first.
    static func kernels(for shape: ExpertShape) -> [any TemplateKernel] {
        [gemm(shape)] + GroupedProduct.packs(packing, inputPitch: shape.inputPitch)
    }

    /// The product for a shape.
    static func gemm(_ shape: ExpertShape) -> MoEGemm {
        // FP8 fragments leave registers for the sums of 64 rows.
        MoEGemm(
            shape: shape, hasOneRow: true,
            rowCount: shape.down.format == .float8 ? MoEGemm.rowCounts.few : MoEGemm.denseRowCount)
    }

    /// The slots of packed tokens.
    private static func slotCount(_ gemm: MoEGemm, tokenCount: Int) -> Int {
        MoEGemm.slotCount(rowCount: tokenCount, blockCount: tokenCount.dividedRoundingUp(by: gemm.rowCount))
    }

    /// Why a GPU cannot compute such products; nil if it can.
    static func refusal(_ shape: ExpertShape, on device: Device) -> String? { gemm(shape).refusal(on: device) }

    /// Queues the product.
    func enqueue(
        tokenCount: Int, _ weights: LinearWeights, _ quantized: QuantizedRows?, input: DeviceBuffer<UInt16>,
        residual: DeviceBuffer<UInt16>?, output: DeviceBuffer<UInt16>, _ memory: Memory, on stream: Stream
    ) throws(CUDAError) {
        let routing = RoutingArgument(list: 0)
        let slotCount = UInt32(Self.slotCount(gemm, tokenCount: tokenCount))
        let packing = GroupedProduct.Packing(
            input: input, tokenCount: tokenCount, routing: routing, slotCount: slotCount, packed: memory.inputs)
        try product.pack(packing, for: gemm, on: stream)
        var arguments = MoEGemm.Arguments(
            routing: routing.with(rowTokens: 0, rowWeights: quantized?.factors.address ?? 0),
            downWeights: weights.slabs.address, inputs: memory.inputs.address,
            output: output.address, counters: memory.counters.address, partials: memory.partials.address,
            slotCount: slotCount, tokenCount: UInt32(tokenCount))
        arguments.residual = residual?.address ?? 0
        arguments.downScales = (quantized?.scale ?? weights.scale).address
        arguments.rowScales = weights.rowScales.count > 0 ? weights.rowScales.address : 0
        try product.multiply(gemm, arguments, on: stream)
    }
}

extension GroupedMatrix {
    /// The memory that products use while they run, one after another.
    struct Memory: Sendable {
        /// Packed tokens, in slots.
        let inputs: DeviceBuffer<UInt8>
        /// Zero between launches.
        let counters: DeviceBuffer<UInt32>
        /// Sums over parts of the columns.
        let partials: DeviceBuffer<Float>

        /// Memory for any of some products.
        init(_ counts: [Counts], on stream: Stream) throws(CUDAError) {
            func largest(_ count: KeyPath<Counts, Int>) -> Int { counts.map { $0[keyPath: count] }.max() ?? 0 }
            inputs = try DeviceBuffer(stream.context, count: largest(\.inputs))
            counters = try DeviceBuffer(stream.context, count: largest(\.counters))
            partials = try DeviceBuffer(stream.context, count: largest(\.partials))
            try stream.fill(counters, byte: 0)
        }

        func holds(_ counts: Counts) -> Bool {
            inputs.count >= counts.inputs && counters.count >= counts.counters && partials.count >= counts.partials
        }
    }

    /// The elements of each piece of memory that a product takes.
    struct Counts: Sendable {
        let inputs: Int, counters: Int, partials: Int

        /// Those of up to `tokenCount` tokens.
        init(_ shape: ExpertShape, tokenCount: Int, on device: Device) {
            let gemm = GroupedMatrix.gemm(shape)
            inputs = MoEPack.byteCount(
                rowCount: GroupedMatrix.slotCount(gemm, tokenCount: tokenCount), pitch: shape.inputPitch)
            counters = MoEGemm.counterCount(
                blockCount: tokenCount.dividedRoundingUp(by: gemm.rowCount), on: device)
            partials = gemm.partialCount(on: device)
        }
    }
}

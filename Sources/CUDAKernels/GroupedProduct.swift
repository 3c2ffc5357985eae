internal import CUDA

/// Kernels of the grouped product that are loaded, with those that pack rows or tokens for them.
struct GroupedProduct: Sendable {
    private let packs: [MoEPack.Layout: (kernel: Kernel, program: MoEPack)]
    private let inputPitch: Int
    private let products: [MoEGemm: Entry]

    private struct Entry {
        let kernel: Kernel
        let launch: Launch
    }

    /// Loads the kernels, which all have the same inputs.
    ///
    /// - Parameter layouts: what is packed for them.
    init(
        _ gemms: Set<MoEGemm>, packing layouts: Set<MoEPack.Layout>, inputPitch: Int, _ loader: KernelLoader
    ) throws(CUDAError) {
        let device = loader.context.device
        var products: [MoEGemm: Entry] = [:]
        for gemm in gemms {
            products[gemm] = Entry(
                kernel: try gemm.load(loader, dynamicSharedByteCount: gemm.sharedByteCount),
                launch: Launch(
                    grid: Launch.Extent(device.multiprocessorCount), block: Launch.Extent(gemm.threadCount),
                    dynamicSharedByteCount: gemm.sharedByteCount, overlapsPrevious: true))
        }
        self.products = products
        var packs: [MoEPack.Layout: (kernel: Kernel, program: MoEPack)] = [:]
        for pack in Self.packs(layouts, inputPitch: inputPitch) { packs[pack.layout] = (try pack.load(loader), pack) }
        self.packs = packs
        self.inputPitch = inputPitch
    }

    /// The kernels that pack rows or tokens.
    static func packs(_ layouts: Set<MoEPack.Layout>, inputPitch: Int) -> [MoEPack] {
        layouts.map { MoEPack(slabCount: inputPitch / SlabLayout.columnCount, layout: $0) }
    }

    /// What is packed for products, which read it afterwards.
    struct Packing {
        /// `[tokenCount, input pitch]`.
        let input: DeviceBuffer<UInt16>
        let tokenCount: Int
        /// Of the rows; without a list, all tokens.
        let routing: RoutingArgument
        /// The blocks of rows at most, unused without a list, and their slots, unused where tokens are gathered.
        var blockCount = 0
        var slotCount: UInt32 = 0
        let packed: DeviceBuffer<UInt8>
    }

    /// Queues the packing of a product's rows, or of the tokens that it gathers.
    func pack(_ packing: Packing, for gemm: MoEGemm, on stream: Stream) throws(CUDAError) {
        let layout: MoEPack.Layout =
            gemm.gathers ? .tokens : packing.routing.list == 0 ? .swizzledTokens : .rows
        guard let pack = packs[layout] else { throw CUDAError(.unsupported, "\(gemm) was not loaded") }
        let arguments = MoEPack.Arguments(
            routing: packing.routing, inputs: packing.input.address, packed: packing.packed.address,
            inputPitch: UInt32(inputPitch), slotCount: packing.slotCount, tokenCount: UInt32(packing.tokenCount),
            blockRowCount: UInt32(gemm.rowCount))
        let launch = pack.program.launch(
            tokenCount: packing.tokenCount, blockCount: packing.blockCount, rowCount: gemm.rowCount)
        try stream.launch(pack.kernel, launch, arguments)
    }

    /// Queues a product.
    ///
    /// - Parameter followsPack: whether the launch before is ``pack(_:for:on:)``. The product begins before that has ended, but
    ///   reads what was there before it.
    func multiply(
        _ gemm: MoEGemm, _ arguments: MoEGemm.Arguments, followsPack: Bool = true, on stream: Stream
    ) throws(CUDAError) {
        guard let entry = products[gemm] else { throw CUDAError(.unsupported, "\(gemm) was not loaded") }
        var launch = entry.launch
        launch.overlapsPrevious = followsPack
        try stream.launch(entry.kernel, launch, arguments)
    }
}

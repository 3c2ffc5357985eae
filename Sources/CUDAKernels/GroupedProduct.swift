internal import CUDA

/// Kernels of the grouped product that are loaded, with the one that packs tokens for them.
struct GroupedProduct: Sendable {
    private let pack: Kernel
    private let packProgram: MoEPack
    private let inputPitch: Int
    private let products: [MoEGemm: Entry]

    private struct Entry {
        let kernel: Kernel
        let launch: Launch
    }

    /// Compiles the kernels, several at a time, and loads them; all have the same inputs.
    ///
    /// - Parameter others: programs that are to be compiled at the same time.
    init(
        _ gemms: Set<MoEGemm>, inputPitch: Int, with others: [KernelProgram] = [], _ loader: KernelLoader
    ) throws(CUDAError) {
        let device = loader.context.device
        packProgram = MoEPack(slabCount: inputPitch / SlabLayout.columnCount)
        let packing = try packProgram.program(from: loader.sources, for: device.architecture)
        var programs: [(gemm: MoEGemm, program: KernelProgram)] = []
        for gemm in gemms {
            programs.append((gemm, try gemm.program(from: loader.sources, for: device.architecture)))
        }
        try loader.cache.compile(programs.map(\.program) + [packing] + others)
        var products: [MoEGemm: Entry] = [:]
        for (gemm, program) in programs {
            products[gemm] = Entry(
                kernel: try loader.cache.module(program, in: loader.context)
                    .kernel(MoEGemm.function, dynamicSharedByteCount: gemm.sharedByteCount),
                launch: Launch(
                    grid: Launch.Extent(device.multiprocessorCount), block: Launch.Extent(MoEGemm.threadCount),
                    dynamicSharedByteCount: gemm.sharedByteCount, overlapsPrevious: true))
        }
        self.products = products
        pack = try loader.cache.module(packing, in: loader.context).kernel(MoEPack.function)
        self.inputPitch = inputPitch
    }

    /// Queues the packing of tokens, `[tokenCount, input pitch]`, which products read afterwards.
    func pack(
        _ input: DeviceBuffer<UInt16>, tokenCount: Int, into packed: DeviceBuffer<UInt8>, on stream: Stream
    ) throws(CUDAError) {
        let arguments = MoEPack.Arguments(
            inputs: input.address, packed: packed.address, inputPitch: UInt32(inputPitch),
            tokenCount: UInt32(tokenCount))
        try stream.launch(pack, packProgram.launch(tokenCount: tokenCount), arguments)
    }

    /// Queues a product.
    ///
    /// - Parameter followsPack: whether the launch before is ``pack(_:tokenCount:into:on:)``. The product begins before that
    ///   has ended, but reads what was there before it.
    func multiply(
        _ gemm: MoEGemm, _ arguments: MoEGemm.Arguments, followsPack: Bool = true, on stream: Stream
    ) throws(CUDAError) {
        guard let entry = products[gemm] else { throw CUDAError(.unsupported, "\(gemm) was not loaded") }
        var launch = entry.launch
        launch.overlapsPrevious = followsPack
        try stream.launch(entry.kernel, launch, arguments)
    }
}

public import CUDA
internal import FP4
public import Kernels

/// The experts of a layer in a GPU's memory, in the slabs that all kernels read.
public final class MoEWeights: Sendable {
    /// The layer that they belong to.
    public let configuration: MoEConfiguration

    /// Slabs `[E][blocks][slabs]` of gate and up (or up alone), and of down.
    let up: DeviceBuffer<UInt8>
    let down: DeviceBuffer<UInt8>
    /// Global scales of gate and up `[E, 2]` (without a gate twice those of up), and of down `[E]`.
    let upScales: DeviceBuffer<Float>
    let downScales: DeviceBuffer<Float>
    /// BF16 `[E, 2, hidden pitch]` (without a gate those of up, twice) and `[E, output pitch]`; empty without biases.
    let upBiases: DeviceBuffer<UInt16>
    let downBiases: DeviceBuffer<UInt16>
    /// How W4A4 quantizes the experts' inputs.
    let inputScales: ExpertInputScales

    /// The bytes of GPU memory that the weights of a layer take.
    ///
    /// - Throws: ``CUDA/CUDAError`` with code `unsupported` for sizes that no kernel has.
    public static func byteCount(for configuration: MoEConfiguration) throws(CUDAError) -> Int {
        try configuration.check()
        let shape = configuration.shape
        guard let up = shape.up?.byteCount, let down = shape.down.byteCount else {
            throw CUDAError(.unsupported, "MoE layer: the weights of an expert are too many to count")
        }
        let biases = configuration.hasBiases ? 4 * shape.hiddenPitch + 2 * shape.outputPitch : 0
        return configuration.storedExpertCount * (up + down + 12 + biases)
    }

    /// Copies experts to the GPU, one after another, repacks them there, and waits.
    ///
    /// - Parameters:
    ///   - configuration: the layer; its backend, precision of activations and number of tokens do not matter here.
    ///   - experts: the routed experts, then the shared ones; each is discarded once it has been read.
    ///   - loader: the GPU, and the kernel that repacks.
    ///   - stream: does the work.
    /// - Throws: ``CUDA/CUDAError`` with code `unsupported` if an expert's shape, format or biases are not the
    ///   configuration's, `outOfMemory`, or that of the call that failed.
    public convenience init(
        _ configuration: MoEConfiguration, experts: [ExpertWeights], loader: KernelLoader, on stream: Stream
    ) throws(CUDAError) {
        try self.init(empty: configuration, inputScales: ExpertInputScales(experts), loader.context)
        guard experts.count == configuration.storedExpertCount else {
            throw CUDAError(
                .unsupported, "MoE layer: \(experts.count) experts, expected \(configuration.storedExpertCount)")
        }
        try pack(experts, loader: loader, on: stream)
        try write(scalesAndBiasesOf: experts, on: stream)
    }

    /// As many copies of one expert as the layer has experts: memory with its bytes, for measuring.
    package convenience init(
        _ configuration: MoEConfiguration, repeating expert: ExpertWeights, loader: KernelLoader, on stream: Stream
    ) throws(CUDAError) {
        let experts = [ExpertWeights](repeating: expert, count: configuration.storedExpertCount)
        try self.init(empty: configuration, inputScales: ExpertInputScales(experts), loader.context)
        try pack([expert], loader: loader, on: stream)
        for index in 1..<max(1, configuration.storedExpertCount) {
            for slabs in [up, down] {
                try stream.copy(part(0, of: slabs), to: part(index, of: slabs))
            }
        }
        try write(scalesAndBiasesOf: experts, on: stream)
    }

    private init(
        empty configuration: MoEConfiguration, inputScales: ExpertInputScales, _ context: Context
    ) throws(CUDAError) {
        // Also makes sure that no product below overflows.
        _ = try Self.byteCount(for: configuration)
        let (shape, count) = (configuration.shape, configuration.storedExpertCount)
        self.configuration = configuration
        self.inputScales = inputScales
        up = try DeviceBuffer(context, count: count * (shape.up?.byteCount ?? 0))
        down = try DeviceBuffer(context, count: count * (shape.down.byteCount ?? 0))
        upScales = try DeviceBuffer(context, count: 2 * count)
        downScales = try DeviceBuffer(context, count: count)
        upBiases = try DeviceBuffer(context, count: configuration.hasBiases ? count * 2 * shape.hiddenPitch : 0)
        downBiases = try DeviceBuffer(context, count: configuration.hasBiases ? count * shape.outputPitch : 0)
    }

    /// Repacks the first experts.
    private func pack(_ experts: [ExpertWeights], loader: KernelLoader, on stream: Stream) throws(CUDAError) {
        var stagingByteCount = 0
        for expert in experts {
            try configuration.check(expert)
            stagingByteCount = max(
                stagingByteCount, try WeightUpload([gate(of: expert), expert.up]).byteCount,
                try WeightUpload([expert.down]).byteCount)
        }
        let packer = try WeightPacker(
            configuration.format, stagingByteCount: stagingByteCount, loader: loader, on: stream)
        let (shape, isGated) = (configuration.shape, configuration.activation.isGated)
        for (index, expert) in experts.enumerated() {
            if let layout = shape.up {
                try packer.pack(
                    gate(of: expert), with: isGated ? expert.up : nil, layout, into: part(index, of: up), on: stream)
            }
            try packer.pack(expert.down, shape.down, into: part(index, of: down), on: stream)
            for matrix in (isGated ? [expert.gate] : []) + [expert.up, expert.down] { matrix.discard() }
        }
        try packer.finish(on: stream)
    }

    /// The first of the matrices that the activation is of.
    private func gate(of expert: ExpertWeights) -> WeightMatrix {
        configuration.activation.isGated ? expert.gate : expert.up
    }

    /// The slabs of one expert.
    private func part(_ index: Int, of slabs: DeviceBuffer<UInt8>) throws(CUDAError) -> DeviceBuffer<UInt8> {
        let byteCount = slabs.count / configuration.storedExpertCount
        return try slabs.part(index * byteCount..<(index + 1) * byteCount)
    }

    private func write(scalesAndBiasesOf experts: [ExpertWeights], on stream: Stream) throws(CUDAError) {
        try stream.write(experts.flatMap { [gate(of: $0).globalScale, $0.up.globalScale] }, to: upScales)
        try stream.write(experts.map(\.down.globalScale), to: downScales)
        guard configuration.hasBiases else { return }
        let shape = configuration.shape
        var ups: [UInt16] = []
        var downs: [UInt16] = []
        for biases in experts.compactMap(\.biases) {
            for values in [configuration.activation.isGated ? biases.gate : biases.up, biases.up] {
                ups += Self.padded(values, to: shape.hiddenPitch)
            }
            downs += Self.padded(biases.down, to: shape.outputPitch)
        }
        try stream.write(ups, to: upBiases)
        try stream.write(downs, to: downBiases)
    }

    private static func padded(_ values: [Float], to count: Int) -> [UInt16] {
        values.map { BFloat16($0).bits } + [UInt16](repeating: 0, count: count - values.count)
    }
}

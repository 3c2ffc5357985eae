internal import CUDA
public import CUDAKernels
internal import FP4
public import Kernels
internal import Models

/// How long the operations of a GPU take, for several numbers of tokens: launches in CUDA graphs, over weights that its
/// cache does not hold.
public struct CUDAKernelBenchmark {
    let loader: KernelLoader
    let shape: LayerShape
    let limits: DeviceLimits
    let seed: UInt64
    let stream: Stream
    private let tokenCounts: [Int]
    private let backend: MoEBackend
    let activationPrecision: ActivationPrecision
    /// The memory that copies of weights take, at most.
    private static let weightByteCount = 10 << 30

    /// Prepares a benchmark; weights are made when an operation is measured.
    ///
    /// - Parameters:
    ///   - loader: the GPU and its kernels.
    ///   - shape: the layer.
    ///   - tokenCounts: the numbers of tokens, each above zero.
    ///   - limits: what ``measureLimits(_:)`` found.
    ///   - seed: of weights, activations and logits.
    ///   - backend: the kernels of the experts.
    ///   - activationPrecision: of experts, and of linear layers with NVFP4 weights.
    public init(
        _ loader: KernelLoader, shape: LayerShape, tokenCounts: [Int], limits: DeviceLimits, seed: UInt64 = 0,
        backend: MoEBackend = .auto, activationPrecision: ActivationPrecision = .full
    ) throws {
        self.loader = loader
        self.shape = shape
        self.tokenCounts = tokenCounts
        self.limits = limits
        self.seed = seed
        self.backend = backend
        self.activationPrecision = activationPrecision
        stream = try Stream(loader.context)
    }

    /// The GPU.
    public var deviceName: String { "\(loader.context.device), driver CUDA \(loader.context.device.driver.version)" }

    /// What the GPU does at best: the rates of kernels that only read, and that only multiply dense BF16 matrices.
    public static func measureLimits(_ loader: KernelLoader) throws -> DeviceLimits {
        let memory = try MemoryCeiling.measure(
            loader.context, sources: loader.sources, cache: loader.cache, byteCount: 4 << 30)
        return DeviceLimits(
            bytesPerSecond: memory.readBytesPerSecond,
            operationsPerSecond: try ProductCeiling.measure(loader) ?? .infinity)
    }

    /// The layer of ``KernelOperation/moe`` and ``KernelOperation/experts``.
    var configuration: MoEConfiguration {
        var configuration = MoEConfiguration(
            hiddenSize: shape.hiddenSize, intermediateSize: shape.intermediateSize, expertCount: shape.expertCount,
            routing: shape.routing, activation: ExpertActivation(shape.activation),
            format: shape.format == .nvfp4 ? .nvfp4 : .mxfp4, maximumTokenCount: tokenCounts.max() ?? 1)
        configuration.routing = routeMethod
        configuration.hasBiases = shape.hasBiases
        configuration.backend = backend
        configuration.activationPrecision = activationPrecision
        return configuration
    }

    /// Measures an operation for all numbers of tokens.
    ///
    /// - Parameters:
    ///   - onNote: called with what a person may want to know besides, one line each.
    ///   - onRow: called with each row as it is measured.
    /// - Throws: ``KernelError`` if a result is wrong; `CUDAError` if the GPU has not the memory, or no kernel.
    public func run(
        _ operation: KernelOperation, onNote: (String) -> Void = { _ in }, onRow: (KernelRow) throws -> Void
    ) throws {
        switch operation {
        case .copy: try copy(onRow)
        case .quantize:
            for tokenCount in tokenCounts {
                for tiling in ScaleLayout.Tiling.allCases { try onRow(quantize(tokenCount, tiling)) }
            }
        case .route:
            let router = try makeRouter(tokenCount: tokenCounts.max() ?? 1)
            for tokenCount in tokenCounts { try onRow(route(tokenCount, router)) }
        case .linear:
            for matrix in shape.linears {
                let layers = try makeLinearLayers(matrix, tokenCount: tokenCounts.max() ?? 1)
                for tokenCount in tokenCounts { try onRow(linear(matrix, tokenCount, layers)) }
            }
        case .moe:
            let layers = try ExpertLayers(self, onNote: onNote)
            for tokenCount in tokenCounts { try onRow(layers.measureLayer(tokenCount)) }
        case .experts:
            let layers = try ExpertLayers(self, onNote: onNote)
            for tokenCount in tokenCounts { try onRow(layers.measureExperts(tokenCount)) }
        }
    }

    /// How many copies of some weights there are: more than the cache holds many times, within the memory.
    func copyCount(ofByteCount byteCount: Int) -> Int { min(max(2, Self.weightByteCount / max(1, byteCount)), 64) }

    /// Random BF16 rows, uniform from -1 to 1, with zeros up to `pitch` columns.
    func activations(rowCount: Int, columnCount: Int, pitch: Int) throws -> DeviceBuffer<UInt16> {
        var random = SplitMix64(seed: seed &+ UInt64(rowCount))
        var bits = [UInt16](repeating: 0, count: rowCount * pitch)
        for row in 0..<rowCount {
            for column in 0..<columnCount {
                bits[row * pitch + column] = BFloat16(Float.random(in: -1...1, using: &random)).bits
            }
        }
        let buffer = try DeviceBuffer<UInt16>(loader.context, count: bits.count)
        try stream.write(bits, to: buffer)
        return buffer
    }

    /// Numbers that BF16 holds, in the GPU's memory.
    func bfloat16(_ values: [Float]) throws -> DeviceBuffer<UInt16> {
        let buffer = try DeviceBuffer<UInt16>(loader.context, count: values.count)
        try stream.write(values.map { UInt16(truncatingIfNeeded: $0.bitPattern >> 16) }, to: buffer)
        return buffer
    }

    /// Memory that holds NaN.
    func poisoned(rowCount: Int, pitch: Int) throws -> DeviceBuffer<UInt16> {
        let buffer = try DeviceBuffer<UInt16>(loader.context, count: rowCount * pitch)
        try stream.fill(buffer, byte: 0xFF)
        return buffer
    }

    /// Makes sure that all rows hold finite numbers, and not only zeros.
    func check(_ output: DeviceBuffer<UInt16>, rowCount: Int, pitch: Int, of operation: KernelOperation) throws {
        let bits = try stream.read(output)
        for row in 0..<rowCount {
            let values = bits[row * pitch..<(row + 1) * pitch]
            // The exponent of infinity and NaN is all ones.
            guard values.allSatisfy({ $0 & 0x7F80 != 0x7F80 }), values.contains(where: { $0 & 0x7FFF != 0 }) else {
                throw KernelError(
                    "\(operation.rawValue) of \(rowCount) tokens: row \(row) of the result is not finite, or zero")
            }
        }
    }

    private func copy(_ onRow: (KernelRow) throws -> Void) throws {
        for byteCount in [64 << 20, 1 << 30] {
            let ceiling = try MemoryCeiling.measure(
                loader.context, sources: loader.sources, cache: loader.cache,
                kernels: MemoryKernel.candidates.filter { $0.direction == .copy }, byteCount: byteCount)
            guard let best = ceiling.measurements.max(by: { $0.time > $1.time }) else { continue }
            let work = KernelWork(byteCount: best.byteCount, operationCount: 0)
            try onRow(
                KernelRow(
                    .copy, tokenCount: byteCount / (2 * shape.hiddenSize), work: work,
                    times: Statistics([best.time.seconds]), limits: limits))
        }
    }
}

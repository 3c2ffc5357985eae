import FP4
import Kernels
import Models

/// How long one operation or one layer takes, for several numbers of tokens.
///
/// Weights are synthetic and there are so many copies of them that no cache holds those of the next repetition.
public struct KernelBenchmark<Device: BenchmarkDevice> {
    let device: Device
    let shape: LayerShape
    let limits: DeviceLimits
    private let tokenCounts: [Int]
    let seed: UInt64
    let repetition: Repetition
    private let weightByteCount: Int

    /// - Parameters:
    ///   - device: what is measured.
    ///   - shape: the layer.
    ///   - tokenCounts: the numbers of tokens, each above zero.
    ///   - limits: what the device does at best, measured in the same run.
    ///   - seed: of weights, activations and logits.
    ///   - repetition: for each row of the table.
    ///   - weightByteCount: the bytes of weights among which repetitions rotate, as far as the memory allows; by default
    ///     four times the caches, and 128 MiB at least.
    public init(
        _ device: Device, shape: LayerShape, tokenCounts: [Int], limits: DeviceLimits, seed: UInt64 = 0,
        repetition: Repetition = Repetition(), weightByteCount: Int? = nil
    ) {
        self.device = device
        self.shape = shape
        self.tokenCounts = tokenCounts
        self.limits = limits
        self.seed = seed
        self.repetition = repetition
        self.weightByteCount = weightByteCount ?? WeightCopies.byteCount(beyondCaches: device.cacheByteCount)
    }

    /// Measures an operation for all numbers of tokens.
    ///
    /// - Parameter onRow: called with each row as it is measured.
    /// - Throws: ``KernelError`` if the device has not the memory for a layer, or no kernel for it, or if a result is
    ///   wrong; or what the device throws.
    public func run(_ operation: KernelOperation, onRow: (KernelRow) throws -> Void) throws {
        switch operation {
        case .copy, .experts: throw KernelError("\(operation.rawValue) is measured on GPUs only")
        case .quantize:
            for tokenCount in tokenCounts {
                for tiling in ScaleLayout.Tiling.allCases { try onRow(quantize(tokenCount, tiling)) }
            }
        case .route:
            for tokenCount in tokenCounts { try onRow(route(tokenCount)) }
        case .linear:
            let matrices = try makeMatrices()
            for tokenCount in tokenCounts { try onRow(linear(tokenCount, matrices)) }
        case .moe:
            let layers = try makeLayers()
            for tokenCount in tokenCounts { try onRow(moe(tokenCount, layers)) }
        }
    }

    /// Random activations `[T, H]`, uniform from -1 to 1.
    func activations(_ tokenCount: Int) throws -> Device.Activations {
        var random = SplitMix64(seed: seed &+ UInt64(tokenCount))
        let values = (0..<tokenCount * shape.hiddenSize).map { _ in Float.random(in: -1...1, using: &random) }
        return try device.makeActivations(values, columnCount: shape.hiddenSize)
    }

    /// Activations `[T, H]` that all have one value.
    func activations(_ tokenCount: Int, filledWith value: Float) throws -> Device.Activations {
        try device.makeActivations(
            [Float](repeating: value, count: tokenCount * shape.hiddenSize), columnCount: shape.hiddenSize)
    }

    /// Checks that an operation wrote finite numbers to all rows `[T, H]`, and not only zeros to one of them.
    func check(_ output: Device.Activations, tokenCount: Int, of operation: KernelOperation) throws {
        let values = try device.read(output, rowCount: tokenCount)
        for row in 0..<tokenCount {
            let values = values[row * shape.hiddenSize..<(row + 1) * shape.hiddenSize]
            guard values.allSatisfy(\.isFinite), values.contains(where: { $0 != 0 }) else {
                throw KernelError(
                    "\(operation.rawValue) of \(tokenCount) tokens: row \(row) of the result is not finite, or zero")
            }
        }
    }

    /// How many copies of weights it takes that no cache holds them, within the memory of the device.
    ///
    /// - Throws: ``KernelError`` if not even one fits.
    func copyCount(ofByteCount byteCount: Int, what: String) throws -> Int {
        guard byteCount <= device.memoryByteCount / 4 * 3 else {
            throw KernelError("\(what) takes \(byteCount) bytes, \(device.memoryByteCount) are available")
        }
        return WeightCopies.count(
            ofByteCount: byteCount, wanted: weightByteCount, memoryByteCount: device.memoryByteCount)
    }
}

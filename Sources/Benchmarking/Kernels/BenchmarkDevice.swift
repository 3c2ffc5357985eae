public import FP4
public import Kernels

/// A backend whose operations can be measured one by one, beside what its device does at best.
public protocol BenchmarkDevice: Backend {
    /// A device buffer of NVFP4 activations.
    associatedtype QuantizedActivations

    /// The device and its instructions, in a word or two.
    var deviceName: String { get }

    /// The bytes that all caches of the device hold together.
    var cacheByteCount: Int { get }

    /// The bytes of memory that can be had on the device.
    var memoryByteCount: Int { get }

    /// Measures what the device does at best; takes about a second.
    func measureLimits() throws -> DeviceLimits

    /// Chooses the experts of each row by its logits `[T, E]`.
    func selectExperts(_ routing: Routing, logits: Activations, rowCount: Int) throws

    /// Waits for ``selectExperts(_:logits:rowCount:)`` and returns its choice `[T, topK]`, by falling logit in each row.
    func readSelectedExperts() throws -> [Int32]

    /// Makes a buffer of NVFP4 activations whose bytes are all 0xFF.
    func makeQuantizedActivations(
        rowCount: Int, columnCount: Int, tiling: ScaleLayout.Tiling
    ) throws -> QuantizedActivations

    /// Quantizes all rows of the output, with zeros as the padding of its scales.
    func quantize(_ input: Activations, encodeScale: Float, into output: QuantizedActivations) throws

    /// Waits for the operations so far and returns the block scales with their padding.
    func readScales(_ quantized: QuantizedActivations) throws -> [UInt8]
}

extension BenchmarkDevice {
    /// Makes a buffer of given rows, in two operations that every backend has: a table, and its lookup.
    ///
    /// - Parameter values: `[T, columnCount]`, row-major, at least one row.
    func makeActivations(_ values: [Float], columnCount: Int) throws -> Activations {
        let rowCount = values.count / columnCount
        let activations = try makeActivations(rowCount: rowCount, columnCount: columnCount)
        try values.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            let rows = WeightMatrix(
                name: "activations", rowCount: rowCount, columnCount: columnCount,
                elements: StridedBytes(base: base, rowStride: 4 * columnCount, columnStride: 4), encoding: .float32,
                onDiscard: {})
            let table = try makeLinear([rows], bias: nil)
            try embed((0..<rowCount).map { Int32($0) }, from: table, into: activations)
            try waitForOperations(activations)
        }
        return activations
    }

    /// Waits for the operations so far.
    func waitForOperations(_ activations: Activations) throws { _ = try read(activations, rowCount: 0) }
}

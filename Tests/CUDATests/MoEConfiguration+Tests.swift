import CUDAKernels
import Kernels

extension MoEConfiguration {
    /// Small layers like those of two families of models.
    static let llama4 = {
        var configuration = MoEConfiguration(
            hiddenSize: 128, intermediateSize: 192, expertCount: 4,
            routing: Routing(topK: 1, score: .sigmoid, weightPlacement: .input), activation: .swiglu, format: .nvfp4,
            maximumTokenCount: 16)
        configuration.sharedExpertCount = 1
        return configuration
    }()
    static let gptOSS = {
        var configuration = MoEConfiguration(
            hiddenSize: 96, intermediateSize: 160, expertCount: 4,
            routing: Routing(topK: 2, score: .softmaxOfSelected, weightPlacement: .output),
            activation: .clampedSwiglu(alpha: 1.702, limit: 7), format: .mxfp4, maximumTokenCount: 4)
        configuration.hasBiases = true
        return configuration
    }()

    /// Experts of these shapes, whose codes and scales are all zero bytes.
    func experts(encodeScale: Float? = nil, encodeScaleOfUp: Float? = nil) -> [ExpertWeights] {
        func matrix(_ name: String, _ rowCount: Int, _ columnCount: Int) -> WeightMatrix {
            let blockSize = format.blockSize ?? 1
            let bytes = ZeroBytes(count: rowCount * columnCount)
            let scales = StridedBytes(base: bytes.base, rowStride: columnCount / blockSize, columnStride: 1)
            return WeightMatrix(
                name: name, rowCount: rowCount, columnCount: columnCount,
                elements: StridedBytes(base: bytes.base, rowStride: columnCount / 2, columnStride: 1),
                encoding: format == .nvfp4
                    ? .nvfp4(blockScales: scales, globalScale: 0.5) : .mxfp4(blockScales: scales),
                inputEncodeScale: name == "up" ? encodeScaleOfUp ?? encodeScale : encodeScale,
                onDiscard: { _ = bytes })
        }
        let biases = ExpertWeights.Biases(
            gate: [Float](repeating: 1, count: intermediateSize), up: [Float](repeating: 2, count: intermediateSize),
            down: [Float](repeating: 3, count: hiddenSize))
        let expert = ExpertWeights(
            gate: matrix("gate", intermediateSize, hiddenSize), up: matrix("up", intermediateSize, hiddenSize),
            down: matrix("down", hiddenSize, intermediateSize), biases: hasBiases ? biases : nil)
        return [ExpertWeights](repeating: expert, count: storedExpertCount)
    }
}

/// Memory full of zeros.
private final class ZeroBytes: @unchecked Sendable {
    let base: UnsafeRawPointer
    private let bytes: UnsafeMutableRawPointer

    init(count: Int) {
        bytes = .allocate(byteCount: count, alignment: 16)
        bytes.initializeMemory(as: UInt8.self, repeating: 0, count: count)
        base = UnsafeRawPointer(bytes)
    }

    deinit { bytes.deallocate() }
}

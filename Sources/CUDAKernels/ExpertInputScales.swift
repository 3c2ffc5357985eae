internal import CUDA
internal import Kernels

/// The scales of W4A4: with which the inputs of a layer's experts are quantized, and what sums are multiplied by then.
struct ExpertInputScales: Sendable {
    /// The scales of one expert; an encode scale of 0 stands for each row's own.
    private struct Scales: Sendable {
        let up: Float, down: Float
        let gateFactor: Float, upFactor: Float, downFactor: Float
    }

    private let scales: [Scales]
    /// Why the inputs cannot be quantized; nil if they can.
    private let refusal: String?
    /// Whether the down projection of some expert has no encode scale.
    private let hasComputedDownScale: Bool

    init(_ experts: [ExpertWeights]) {
        scales = experts.map { expert in
            let (up, down) = (expert.up.inputEncodeScale ?? 0, expert.down.inputEncodeScale ?? 0)
            let (upFactor, downFactor) = (up == 0 ? 1 : 1 / up, down == 0 ? 1 : 1 / down)
            return Scales(
                up: up, down: down, gateFactor: expert.gate.globalScale * upFactor,
                upFactor: expert.up.globalScale * upFactor, downFactor: expert.down.globalScale * downFactor)
        }
        hasComputedDownScale = experts.contains { $0.down.inputEncodeScale == nil }
        refusal = experts.lazy.compactMap(Self.refusal).first
    }

    private static func refusal(_ expert: ExpertWeights) -> String? {
        // One row enters both products.
        guard expert.gate.inputEncodeScale == expert.up.inputEncodeScale else {
            return "\(expert.up.name): an input scale that differs from that of \(expert.gate.name)"
        }
        for matrix in [expert.up, expert.down] {
            guard let scale = matrix.inputEncodeScale, !(scale > 0 && scale.isFinite) else { continue }
            return "\(matrix.name): an input encode scale of \(scale), expected a finite one above zero"
        }
        return nil
    }

    /// The scales in a GPU's memory.
    struct OnDevice: Sendable {
        /// Encode scales `[E]`; 0: each row's own.
        let up: DeviceBuffer<Float>, down: DeviceBuffer<Float>
        /// What sums are multiplied by: of gate and up `[E, 2]`, of down `[E]`.
        let upFactors: DeviceBuffer<Float>, downFactors: DeviceBuffer<Float>
    }

    /// Copies the scales to a GPU.
    ///
    /// - Throws: ``CUDA/CUDAError`` with code `unsupported` if inputs cannot be quantized with them.
    func onDevice(hasBiases: Bool, on stream: Stream) throws(CUDAError) -> OnDevice {
        if let refusal { throw CUDAError(.unsupported, refusal) }
        if hasBiases, hasComputedDownScale {
            throw CUDAError(
                .unsupported, "MoE layer: NVFP4 activations with biases need the input scales of a checkpoint")
        }
        func copy(_ values: [Float]) throws(CUDAError) -> DeviceBuffer<Float> {
            let buffer = try DeviceBuffer<Float>(stream.context, count: values.count)
            try stream.write(values, to: buffer)
            return buffer
        }
        return OnDevice(
            up: try copy(scales.map(\.up)), down: try copy(scales.map(\.down)),
            upFactors: try copy(scales.flatMap { [$0.gateFactor, $0.upFactor] }),
            downFactors: try copy(scales.map(\.downFactor)))
    }
}

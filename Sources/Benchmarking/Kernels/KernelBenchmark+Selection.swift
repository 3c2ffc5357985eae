import FP4
import Kernels
import Models

extension KernelBenchmark {
    /// Quantizes activations that the caches hold as far as they can, as after the operation that made them.
    func quantize(_ tokenCount: Int, _ tiling: ScaleLayout.Tiling) throws -> KernelRow {
        guard let layout = ScaleLayout(tiling, rowCount: tokenCount, columnCount: shape.hiddenSize / NVFP4.blockSize)
        else { throw KernelError("quantize of \(tokenCount) tokens: too many") }
        let input = try activations(tokenCount)
        let output = try device.makeQuantizedActivations(
            rowCount: tokenCount, columnCount: shape.hiddenSize, tiling: tiling)
        let encodeScale = NVFP4.encodeScale(absoluteMaximum: 1)
        let times = try repetition.measure { _ in
            try device.quantize(input, encodeScale: encodeScale, into: output)
            try device.waitForOperations(input)
        }
        let scales = try device.readScales(output)
        for (offset, scale) in scales.enumerated() {
            let isRight = layout.position(at: offset) == nil ? scale == 0 : E4M3(bits: scale).isPositiveNumber
            guard isRight else {
                throw KernelError(
                    "quantize of \(tokenCount) tokens, \(tiling.name): byte \(offset) of the scales is wrong")
            }
        }
        return KernelRow(
            .quantize, layout: tiling.name, tokenCount: tokenCount, work: .quantize(layout), times: times,
            limits: limits)
    }

    /// Chooses experts by logits that the caches hold, as after the router.
    func route(_ tokenCount: Int) throws -> KernelRow {
        let logits = RouterLogits(shape, tokenCount: tokenCount, seed: seed)
        let sets = try logits.sets.map { try device.makeActivations($0, columnCount: shape.expertCount) }
        var last = 0
        let times = try repetition.measure { index in
            last = index % sets.count
            try device.selectExperts(shape.routing, logits: sets[last], rowCount: tokenCount)
            try device.waitForOperations(sets[last])
        }
        let expected = RouterLogits.choices(logits.sets[last], shape).flatMap { $0 }
        guard try device.readSelectedExperts().map({ Int($0) }) == expected else {
            throw KernelError("route of \(tokenCount) tokens: not the experts with the largest logits")
        }
        return KernelRow(
            .route, tokenCount: tokenCount, distinctExpertCount: logits.distinctExpertCount,
            work: .route(shape, tokenCount: tokenCount), times: times, limits: limits)
    }
}

extension E4M3 {
    fileprivate var isPositiveNumber: Bool { Float(self) > 0 }
}

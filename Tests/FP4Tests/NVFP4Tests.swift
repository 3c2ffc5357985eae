import FP4
import TestSupport
import Testing

@Suite("NVFP4")
struct NVFP4Tests {
    /// Magnitudes that fix a block's scale when nothing in the block is larger: at a global scale of one these are
    /// scales that underflow, are subnormal, the smallest normal one, one, an odd code, the largest, and saturated.
    static let anchors: [Float] = [0, 1e-6, 6 * 0x1p-10, 6 * 0x1p-9, 6 * 0x1.4p-7, 6 * 0x1p-6, 6, 6.75, 2688, 1e5]

    /// All 65,536 BF16 numbers, each in a block with 14 others and the anchor.
    private func everyBFloat16(with anchor: Float) -> [Float] {
        var values: [Float] = []
        for (index, value) in FormatTests.allBFloat16.enumerated() {
            if index % 15 == 0 { values.append(anchor) }
            values.append(value)
        }
        values += [Float](repeating: 0, count: (16 - values.count % 16) % 16)
        return values
    }

    @Test("weights of every BF16 number follow the rule under every kind of scale", arguments: anchors)
    func quantizesEveryWeight(anchor: Float) {
        let weights = everyBFloat16(with: anchor)
        for globalScale: Float in [1, 0.0123, 3e-5] {
            let expected = Packed(BruteForce.weights(weights, globalScale: globalScale))
            #expect(Packed.nvfp4(weights: weights, globalScale: globalScale) == expected)
        }
    }

    @Test("activations of every BF16 number follow the rule under every kind of scale", arguments: anchors)
    func quantizesEveryActivation(anchor: Float) {
        let activations = everyBFloat16(with: anchor)
        for encodeScale: Float in [1, 81.3, 33333] {
            let expected = Packed(BruteForce.activations(activations, encodeScale: encodeScale))
            #expect(Packed.nvfp4(activations: activations, encodeScale: encodeScale) == expected)
        }
    }

    @Test("random weights and activations follow the rule", arguments: [1, 2, 3] as [UInt64])
    func quantizesRandomValues(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        for deviation: Float in [1e-30, 0.02, 1, 1e30] {
            let values = (0..<4096).map { _ in random.normal() * deviation * Float.random(in: 0...1, using: &random) }
            let maximum = values.withUnsafeBufferPointer { absoluteMaximum(of: $0) }
            let globalScale = NVFP4.globalScale(absoluteMaximum: maximum)
            #expect(
                Packed.nvfp4(weights: values, globalScale: globalScale)
                    == Packed(BruteForce.weights(values, globalScale: globalScale)))
            let encodeScale = NVFP4.encodeScale(absoluteMaximum: maximum)
            #expect(
                Packed.nvfp4(activations: values, encodeScale: encodeScale)
                    == Packed(BruteForce.activations(values, encodeScale: encodeScale)))
        }
    }

    @Test("every code times every scale is exact at a global scale of one, and rounds twice at others")
    func dequantizesEveryProduct() {
        for globalScale: Float in [1, 0.1, 3.3e-5, 0x1.8p-127] {
            for scale in UInt8.min...UInt8.max {
                let codes: [UInt8] = [0x10, 0x32, 0x54, 0x76, 0x98, 0xBA, 0xDC, 0xFE]
                let values = Packed(codes: codes, scales: [scale]).nvfp4Values(globalScale: globalScale)
                guard scale & 0x7F != 0x7F else {
                    #expect(values.allSatisfy { $0.isNaN })
                    continue
                }
                let sign: Double = scale < 128 ? 1 : -1
                let factor = Float(sign * BruteForce.e4m3[Int(scale & 0x7F)] * Double(globalScale))
                for (code, value) in values.enumerated() {
                    let element = BruteForce.e2m1[code & 7] * (code < 8 ? 1 : -1)
                    #expect(value.bitPattern == Float(element * Double(factor)).bitPattern)
                }
            }
        }
    }

    @Test("fake quantization is quantization followed by expansion, also in place")
    func fakeQuantizes() {
        var random = SeededRandom(seed: 4)
        var values = (0..<1024).map { _ in random.normal() }
        let encodeScale: Float = 777
        let packed = Packed.nvfp4(activations: values, encodeScale: encodeScale)
        let expected = (0..<1024).map { index in
            let code = packed.codes[index / 2] >> (index % 2 * 4)
            return Float(E2M1(bits: code)) * (Float(E4M3(bits: packed.scales[index / 16])) / encodeScale)
        }
        #expect(bits(fakeQuantized(values, encodeScale: encodeScale)) == bits(expected))
        values.withUnsafeMutableBufferPointer {
            NVFP4.fakeQuantize(activations: UnsafeBufferPointer($0), encodeScale: encodeScale, into: $0)
        }
        #expect(bits(values) == bits(expected))
    }

    @Test("an all-zero tensor gets finite scales and stays zero")
    func quantizesZeros() {
        let zeros: [Float] = [0, -0.0, 0, 0, 0, 0, 0, 0, 0, 0, -0.0, 0, 0, 0, 0, 0]
        let globalScale = NVFP4.globalScale(absoluteMaximum: 0)
        #expect(globalScale == 1)
        let weights = Packed.nvfp4(weights: zeros, globalScale: globalScale)
        #expect(weights == Packed(codes: [UInt8](repeating: 0, count: 8), scales: [0x38]))
        #expect(weights.nvfp4Values(globalScale: globalScale).allSatisfy { $0 == 0 })

        let encodeScale = NVFP4.encodeScale(absoluteMaximum: 0)
        #expect(encodeScale == 1)
        let activations = Packed.nvfp4(activations: zeros, encodeScale: encodeScale)
        #expect(activations == Packed(codes: [UInt8](repeating: 0, count: 8), scales: [0]))
        #expect(fakeQuantized(zeros, encodeScale: encodeScale).allSatisfy { $0 == 0 })
    }

    @Test("the tiniest and the largest tensors stay finite")
    func quantizesExtremeTensors() {
        let (tiny, large) = (Float.leastNonzeroMagnitude, Float.greatestFiniteMagnitude)
        for magnitude in [tiny, 100 * tiny, 0x1p-133, large] {
            var values = [Float](repeating: 0, count: 16)
            (values[0], values[1], values[2]) = (magnitude, -magnitude, magnitude / 2)
            let globalScale = NVFP4.globalScale(absoluteMaximum: magnitude)
            #expect(globalScale > 0 && globalScale.isFinite)
            let weights = Packed.nvfp4(weights: values, globalScale: globalScale)
                .nvfp4Values(globalScale: globalScale)
            let encodeScale = NVFP4.encodeScale(absoluteMaximum: magnitude)
            #expect(encodeScale > 0 && encodeScale.isFinite)
            let activations = fakeQuantized(values, encodeScale: encodeScale)
            for (weight, (activation, value)) in zip(weights, zip(activations, values)) {
                #expect(weight.isFinite && weight.magnitude <= magnitude && weight * value >= 0)
                #expect(activation.isFinite && activation.magnitude <= magnitude && activation * value >= 0)
            }
        }
    }

    @Test("an infinity saturates, and a NaN makes its own block NaN and no other")
    func quantizesNonFiniteValues() {
        var values = [Float](repeating: 1, count: 48)
        values[0] = -.infinity
        values[20] = -.nan
        for packed in [
            Packed.nvfp4(weights: values, globalScale: 0.01), Packed.nvfp4(activations: values, encodeScale: 100),
        ] {
            #expect(packed.scales[0] == 0x7E && packed.codes[0] & 0xF == 15)
            #expect(packed.scales[1] == 0x7F && packed.codes[8..<16].allSatisfy { $0 == 0x77 })
            let expanded = packed.nvfp4Values(globalScale: 0.01)
            #expect(expanded[0] == -6 * (448 * Float(0.01)))
            #expect(expanded[16..<32].allSatisfy { $0.isNaN })
            #expect(expanded[32..<48].allSatisfy { ($0 - 1).magnitude < 0.05 })
        }
    }

    @Test("an infinite or NaN row has no finite encode scale, so its result is NaN, never a plausible number")
    func poisonsNonFiniteRows() {
        for special in [Float.infinity, -.nan] {
            var row = [Float](repeating: 1, count: 32)
            row[5] = special
            let maximum = row.withUnsafeBufferPointer { absoluteMaximum(of: $0) }
            let values = fakeQuantized(row, encodeScale: NVFP4.encodeScale(absoluteMaximum: maximum))
            #expect(values.allSatisfy { $0.isNaN })
        }
    }
}

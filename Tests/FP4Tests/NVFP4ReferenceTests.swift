import FP4
import TestSupport
import Testing

@Suite("NVFP4 against the reference libraries")
struct NVFP4ReferenceTests {
    static let computedCases = [
        "normal", "normal_wide", "heavy_tail", "zero_blocks", "neg_zero", "bf16_subnormal", "wide_dynamic",
        "block_dynamic", "huge", "fp4_ties", "scale_ties", "scale_ties_bf16", "k_not_pow2", "single_block",
        "fp32_input", "fp16_input",
    ]
    static let allCases = computedCases + ["given_global_saturate", "given_global_loose", "given_global_underflow"]

    private func golden(_ name: String) throws -> GoldenTensors {
        try GoldenTensors("quant/nvfp4_\(name).safetensors")
    }

    @Test("weights equal ModelOpt's bit for bit", arguments: allCases)
    func quantizesAsModelOpt(name: String) throws {
        let golden = try golden(name)
        let weights = try golden.tensor("input").floats()
        let packed = Packed.nvfp4(weights: weights, globalScale: try golden.scalar("modelopt.scale_2"))
        #expect(packed == (try golden.packed(by: "modelopt")))
    }

    @Test("the global scale equals ModelOpt's", arguments: computedCases)
    func scalesAsModelOpt(name: String) throws {
        let golden = try golden(name)
        let maximum = try golden.tensor("input").floats().withUnsafeBufferPointer { absoluteMaximum(of: $0) }
        #expect(NVFP4.globalScale(absoluteMaximum: maximum) == (try golden.scalar("modelopt.scale_2")))
    }

    @Test("activations equal vLLM's reference bit for bit", arguments: allCases.filter { $0 != "bf16_subnormal" })
    func quantizesAsVLLM(name: String) throws {
        let golden = try golden(name)
        let activations = try golden.tensor("input").floats()
        let packed = Packed.nvfp4(activations: activations, encodeScale: try golden.scalar("vllm.global_scale"))
        #expect(packed == (try golden.packed(by: "vllm")))
    }

    @Test("activations under an infinite encode scale equal vLLM's reference but for the sign of zero")
    func quantizesUnderInfiniteEncodeScale() throws {
        let golden = try golden("bf16_subnormal")
        let encodeScale = try golden.scalar("vllm.global_scale")
        #expect(encodeScale == .infinity)
        let packed = Packed.nvfp4(activations: try golden.tensor("input").floats(), encodeScale: encodeScale)
        let expected = try golden.packed(by: "vllm")
        #expect(packed.scales == expected.scales)
        #expect(packed.codes.map { $0 & 0x77 } == expected.codes)
    }

    @Test("every library's tensors expand to that library's values", arguments: allCases)
    func dequantizesAsTheReferences(name: String) throws {
        let golden = try golden(name)
        let modelOpt = try golden.packed(by: "modelopt")
            .nvfp4Values(globalScale: try golden.scalar("modelopt.scale_2"))
        // Equal as numbers: ModelOpt's own expansion drops the sign of zero.
        #expect(modelOpt == (try golden.tensor("modelopt.dequant").floats()))

        let vllm = try golden.packed(by: "vllm")
            .nvfp4Values(globalScale: 1 / (try golden.scalar("vllm.global_scale")))
        #expect(bits(vllm) == bits(try golden.tensor("vllm.dequant").floats()))

        let compressed = try golden.packed(by: "ct")
            .nvfp4Values(globalScale: 1 / (try golden.scalar("ct.global_scale")))
        let expected = try golden.tensor("ct.dequant_bf16").floats()
        #expect(bits(compressed.map { Float(BFloat16($0)) }) == bits(expected))
    }

    @Test("torchao's tensors expand to code times scale", arguments: allCases.filter { $0 != "fp16_input" })
    func dequantizesTorchao(name: String) throws {
        let golden = try golden(name)
        let packed = try golden.packed(by: "torchao")
        let globalScale = try golden.scalar("torchao.per_tensor_scale")
        let values = packed.nvfp4Values(globalScale: globalScale)
        for (index, value) in values.enumerated() {
            let code = packed.codes[index / 2] >> (index % 2 * 4)
            let scale = BruteForce.e4m3[Int(packed.scales[index / 16])]
            let magnitude = BruteForce.e2m1[Int(code & 7)] * Double(Float(scale * Double(globalScale)))
            #expect(value == Float(code & 8 == 0 ? magnitude : -magnitude))
        }
    }

    @Test("fused experts in ModelOpt's transposed layout are quantized and expanded exactly")
    func handlesTransposedExperts() throws {
        let golden = try golden("bmm_experts")
        let shape = try golden.tensor("weight_bf16").shape
        let (experts, inputs, outputs) = (shape[0], shape[1], shape[2])
        let weights = try golden.tensor("weight_bf16").floats()
        let globalScale = NVFP4.globalScale(
            absoluteMaximum: weights.withUnsafeBufferPointer { absoluteMaximum(of: $0) })
        #expect(globalScale == (try golden.scalar("weight_scale_2")))

        // Runs of 32 input rows, so that an expert is written in two parts.
        var packed = Packed(codes: [], scales: [])
        for start in stride(from: 0, to: weights.count, by: 32 * outputs) {
            let run = Array(weights[start..<start + 32 * outputs])
            let part = Packed.nvfp4(transposedWeights: run, columnCount: outputs, globalScale: globalScale)
            packed.codes += part.codes
            packed.scales += part.scales
        }
        #expect(packed.codes == (try golden.tensor("weight").bytes))
        #expect(packed.scales == (try golden.tensor("weight_scale").bytes))

        let expected = try golden.tensor("dequant").floats()
        let size = inputs * outputs
        for expert in 0..<experts {
            let part = Packed(
                codes: Array(packed.codes[expert * size / 2..<(expert + 1) * size / 2]),
                scales: Array(packed.scales[expert * size / 16..<(expert + 1) * size / 16]))
            let values = part.transposedNVFP4Values(columnCount: outputs, globalScale: globalScale)
            #expect(values == Array(expected[expert * size..<(expert + 1) * size]))
        }
    }

    @Test("the operands of W4A4 products, and so the products, equal the reference's", arguments: 0..<3)
    func quantizesOperandsOfW4A4(number: Int) throws {
        let golden = try GoldenTensors("quant/w4a4_\(number).safetensors")
        let x = try golden.tensor("x")
        let inputScale = try golden.scalar("input_scale")
        let packed = Packed.nvfp4(activations: x.floats(), encodeScale: 1 / inputScale)
        #expect(packed.codes == (try golden.tensor("x_packed").bytes))
        #expect(packed.scales == (try golden.tensor("x_scale").bytes))
        let values = fakeQuantized(x.floats(), encodeScale: 1 / inputScale)
        let expected = try golden.tensor("x_dequant_bf16").floats()
        #expect(bits(values.map { Float(BFloat16($0)) }) == bits(expected))

        let weight = Packed(
            codes: try golden.tensor("weight").bytes, scales: try golden.tensor("weight_scale").bytes)
        let weights = weight.nvfp4Values(globalScale: try golden.scalar("weight_scale_2"))
        try expectProducts(values, weights, depth: x.shape[1], golden.tensor("out_fp64"))
        try expectProducts(x.floats(), weights, depth: x.shape[1], golden.tensor("out_w4a16_fp64"))
    }

    private func expectProducts(
        _ x: [Float], _ weights: [Float], depth: Int, _ expected: GoldenTensors.Tensor
    ) throws {
        let columnCount = expected.shape[1]
        for (index, reference) in expected.elements(as: Double.self).enumerated() {
            let (row, column) = index.quotientAndRemainder(dividingBy: columnCount)
            var (sum, magnitude) = (0.0, 0.0)
            for k in 0..<depth {
                let product = Double(x[row * depth + k]) * Double(weights[column * depth + k])
                sum += product
                magnitude += abs(product)
            }
            // The reference multiplies exact operands; ours carry the roundings of scale times global scale.
            #expect(abs(sum - reference) <= 2e-7 * magnitude)
        }
    }
}

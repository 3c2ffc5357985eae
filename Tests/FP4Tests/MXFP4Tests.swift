import FP4
import TestSupport
import Testing

@Suite("MXFP4")
struct MXFP4Tests {
    static let cases = ["normal", "heavy_tail", "zero_tiny_huge", "ties"]

    private func golden(_ name: String) throws -> GoldenTensors {
        try GoldenTensors("quant/mxfp4_\(name).safetensors")
    }

    @Test("weights equal compressed-tensors' bit for bit", arguments: cases)
    func quantizesAsCompressedTensors(name: String) throws {
        let golden = try golden(name)
        let packed = Packed.mxfp4(weights: try golden.tensor("input").floats())
        #expect(packed == (try golden.packed(by: "ct")))
    }

    @Test("weights equal ModelOpt's bit for bit", arguments: cases)
    func quantizesAsModelOpt(name: String) throws {
        let golden = try golden(name)
        let packed = Packed.mxfp4(weights: try golden.tensor("input").floats(), rule: .modelOpt)
        #expect(packed == (try golden.packed(by: "modelopt")))
    }

    /// Maxima around every kind of power of two, ties, zeros, subnormals and the largest numbers; float32 decides whether
    /// a quotient just above a power counts as that power.
    @Test("weights of other types equal ModelOpt's bit for bit", arguments: ["float32", "bfloat16"])
    func quantizesEdgesAsModelOpt(type: String) throws {
        let golden = try golden("modelopt")
        let packed = Packed.mxfp4(weights: try golden.tensor(type + ".values").floats(), rule: .modelOpt)
        let (codes, scales) = (try golden.tensor(type + ".codes").bytes, try golden.tensor(type + ".scales").bytes)
        #expect(packed == Packed(codes: codes, scales: scales))
    }

    @Test("by ModelOpt's rule, infinities and NaN make their block NaN")
    func quantizesSpecialBlocksAsModelOpt() {
        var values = [Float](repeating: 1, count: 64)
        values[1] = -.infinity
        values[63] = .nan
        let packed = Packed.mxfp4(weights: values, rule: .modelOpt)
        #expect(packed.scales == [255, 255])
        #expect(packed.codes.allSatisfy { $0 == 0x77 })
    }

    @Test("weights equal torchao's EVEN but for the sign of zero and blocks near the least Float", arguments: cases)
    func quantizesAsTorchaoEven(name: String) throws {
        let golden = try golden(name)
        let packed = Packed.mxfp4(weights: try golden.tensor("input").floats())
        let expected = try golden.packed(by: "torchao_even")
        #expect(packed.scales == expected.scales)
        for (index, pair) in zip(packed.mxfp4Values(), expected.mxfp4Values()).enumerated()
        where packed.scales[index / 32] != 0 {
            #expect(pair.0 == pair.1, "element \(index)")
        }
    }

    @Test("every rule's tensors expand to code times power of two", arguments: cases)
    func dequantizesEveryRule(name: String) throws {
        let golden = try golden(name)
        for rule in ["torchao_floor", "torchao_rceil", "torchao_ceil", "torchao_even", "ct", "modelopt"] {
            let packed = try golden.packed(by: rule)
            let values = packed.mxfp4Values()
            for (index, value) in values.enumerated() {
                let code = packed.codes[index / 2] >> (index % 2 * 4)
                let power = BruteForce.power(Int(packed.scales[index / 32]) - 127)
                let magnitude = BruteForce.e2m1[Int(code & 7)] * power
                #expect(value == Float(code & 8 == 0 ? magnitude : -magnitude), "\(rule), element \(index)")
            }
            if rule == "modelopt" { #expect(values == (try golden.tensor("modelopt.dequant").floats())) }
        }
    }

    @Test("gpt-oss blocks expand to what transformers computes")
    func dequantizesGPTOSSBlocks() throws {
        let golden = try golden("gptoss_blocks")
        let blocks = try golden.tensor("blocks")
        let (experts, rows, columns) = (blocks.shape[0], blocks.shape[1], blocks.shape[2] * 32)
        let values = Packed(codes: blocks.bytes, scales: try golden.tensor("scales").bytes).mxfp4Values()
        let expected = try golden.tensor("dequant_transposed_bf16").floats()
        for expert in 0..<experts {
            for row in 0..<rows {
                for column in 0..<columns {
                    let value = values[(expert * rows + row) * columns + column]
                    let reference = expected[(expert * columns + column) * rows + row]
                    #expect(value.bitPattern == reference.bitPattern)
                }
            }
        }
    }

    @Test("weights of every BF16 number follow the rule under every kind of scale")
    func quantizesEveryWeight() {
        for anchor: Float in [0, 0x1p-126, 0x1.8p-126, 1, 1.5, 1.75, 3.4e38] {
            var weights: [Float] = []
            for (index, value) in FormatTests.allBFloat16.enumerated() {
                if index % 31 == 0 { weights.append(anchor) }
                weights.append(value)
            }
            weights += [Float](repeating: 0, count: (32 - weights.count % 32) % 32)
            #expect(Packed.mxfp4(weights: weights) == Packed(BruteForce.evenMXFP4(weights)))
        }
    }

    @Test("every code times every scale is exact")
    func dequantizesEveryProduct() {
        let codes: [UInt8] = [0x10, 0x32, 0x54, 0x76, 0x98, 0xBA, 0xDC, 0xFE]
        for scale in UInt8.min...UInt8.max {
            let values = Packed(codes: codes + codes, scales: [scale]).mxfp4Values()
            guard scale != 0xFF else {
                #expect(values.allSatisfy { $0.isNaN })
                continue
            }
            for (index, value) in values.enumerated() {
                let element = BruteForce.e2m1[index & 7] * (index & 8 == 0 ? 1 : -1)
                #expect(value.bitPattern == Float(element * BruteForce.power(Int(scale) - 127)).bitPattern)
            }
        }
    }

    @Test("zeros, infinities and NaN have documented scales and codes")
    func quantizesSpecialBlocks() {
        var values = [Float](repeating: 0, count: 96)
        values[1] = -0.0
        values[32] = -.infinity
        values[64] = .nan
        let packed = Packed.mxfp4(weights: values)
        #expect(packed.scales == [0, 253, 255])
        #expect(packed.codes[0..<16].allSatisfy { $0 == 0 })
        #expect(packed.codes[16] == 0x0F && packed.codes[17..<32].allSatisfy { $0 == 0 })
        #expect(packed.codes[32..<48].allSatisfy { $0 == 0x77 })
    }
}

import FP4
import TestSupport
import Testing

@testable import Quantization

@Suite struct GlobalScaleTests {
    @Test("is what a reader of the stored divisor computes, within a bit of ModelOpt's scale")
    func divisor() {
        var random = SeededRandom(seed: 3)
        var equalCount = 0
        for _ in 0..<2000 {
            let maximum = Float.random(in: 1e-6..<100, using: &random)
            let scale = GlobalScale(absoluteMaximum: maximum, layout: .compressedTensors)
            let reference = GlobalScale(absoluteMaximum: maximum, layout: .modelOpt)
            #expect(1 / scale.stored == scale.multiplier)
            #expect(reference.stored == maximum / 2688)
            #expect(abs(scale.multiplier - reference.stored) <= reference.stored.ulp)
            if scale.multiplier == reference.stored { equalCount += 1 }
        }
        #expect(equalCount > 1500)
    }

    @Test("is finite and positive for any tensor", arguments: [0, .leastNonzeroMagnitude, 1e-38, 1, 3e38] as [Float])
    func extremes(maximum: Float) {
        for layout in QuantizationScheme.Layout.allCases {
            let scale = GlobalScale(absoluteMaximum: maximum, layout: layout)
            #expect(scale.stored.isFinite && scale.stored > 0)
            #expect(scale.multiplier.isFinite && scale.multiplier > 0)
        }
    }

    @Test("is shared by projections that engines multiply together")
    func groups() {
        #expect(ScaleGroup(module: "a.0.q_proj") == ScaleGroup(module: "a.0.v_proj"))
        #expect(ScaleGroup(module: "a.0.gate_proj") == ScaleGroup(module: "a.0.up_proj"))
        #expect(ScaleGroup(module: "a.0.q_proj") != ScaleGroup(module: "a.1.q_proj"))
        #expect(ScaleGroup(module: "a.0.q_proj") != ScaleGroup(module: "a.0.o_proj"))
    }
}

import CUDAKernels
import Testing

@testable import SelfTest

@Suite("Layers of the self-test")
struct ExpertLayerTests {
    @Test("every layer has more than one token and no more than its configuration holds", arguments: [false, true])
    func tokenCounts(isSmall: Bool) {
        let layers = ExpertLayer.all(isSmall: isSmall)
        #expect(layers.count >= 10)
        for layer in layers {
            #expect(layer.tokenCounts.allSatisfy { 0...layer.configuration.maximumTokenCount ~= $0 }, "\(layer.name)")
            #expect((layer.tokenCounts.last ?? 0) > 1, "\(layer.name)")
        }
    }
}

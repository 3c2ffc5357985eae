import CUDAKernels
import Models
import Testing

@testable import SelfTest

@Suite("Layers of the self-test")
struct ExpertLayerTests {
    @Test("every layer has more than one token and no more than its configuration holds", arguments: [false, true])
    func tokenCounts(isSmall: Bool) {
        let layers = ExpertLayer.all(isSmall: isSmall, seed: 1)
        #expect(layers.count >= 10)
        for layer in layers {
            #expect(layer.tokenCounts.allSatisfy { 0...layer.configuration.maximumTokenCount ~= $0 }, "\(layer.name)")
            #expect((layer.tokenCounts.last ?? 0) > 1, "\(layer.name)")
        }
    }

    @Test("random layers are layers that the kernels have, of every format, activation and backend")
    func randomLayers() throws {
        var random = SplitMix64(seed: .random(in: 0 ... .max))
        var (formats, activations, backends) = (Set<String>(), Set<String>(), Set<MoEBackend>())
        for number in 1...500 {
            let layer = ExpertLayer.random(number, using: &random)
            #expect(throws: Never.self, "\(layer.name)") { try MoEWeights.byteCount(for: layer.configuration) }
            #expect(layer.tokenCounts.allSatisfy { 1...layer.configuration.maximumTokenCount ~= $0 }, "\(layer.name)")
            formats.insert(layer.configuration.format.rawValue)
            activations.insert("\(layer.configuration.activation)")
            backends.insert(layer.configuration.backend)
        }
        #expect(formats.count == 3 && activations.count == 4 && backends.count == 3)
    }
}

import Kernels
import ModelFiles
import Models
import TestSupport
import Testing

@Suite struct ModelLoaderTests {
    @Test("a checkpoint with more layers than its configuration says is refused, not cut off")
    func layerCount() throws {
        let checkpoint = try Checkpoint(path: Golden.path("models/llama_dense-ct-nvfp4a16"))
        var specification = try ModelSpecification(config: checkpoint.config)
        let loader = ModelLoader(checkpoint, backend: try CPUBackend(threadCount: 1))
        _ = try loader.load(specification)
        specification.layers.removeLast()
        let count = specification.layers.count
        let error = #expect(throws: ModelFileError.self) { _ = try loader.load(specification) }
        #expect(error?.item?.hasPrefix("model.layers.\(count).") == true)
        #expect(error?.message.contains("\(count) layers") == true)
    }
}

import ModelFiles
import TestSupport
import Testing

@Suite struct GoldenCheckpointTests {
    static let folders = [
        "gpt_oss-ct-nvfp4-mlp", "gpt_oss-modelopt-nvfp4-experts-only", "gpt_oss-mxfp4", "llama4_maverick-bf16",
        "llama4_maverick-modelopt-nvfp4-default", "llama4_scout-ct-nvfp4-mlp",
        "llama4_scout-modelopt-nvfp4-default-kvfp8", "llama_dense-bf16", "llama_dense-ct-nvfp4a16",
        "llama_dense-modelopt-mxfp4-default", "llama_dense-modelopt-nvfp4-default-kvfp8", "qwen3_dense-bf16",
        "qwen3_dense-ct-nvfp4", "qwen3_moe-ct-nvfp4", "qwen3_moe-modelopt-nvfp4-default-kvfp8",
    ]

    @Test("reaches every byte of every tensor", arguments: folders)
    func reachesTensors(folder: String) throws {
        let checkpoint = try Checkpoint(path: Golden.path("models/\(folder)"))
        #expect(try checkpoint.config.string("model_type").isEmpty == false)
        var byteCount = 0
        for name in checkpoint.tensorNames {
            let tensor = try checkpoint.tensor(named: name)
            #expect(tensor.name == name)
            #expect(tensor.byteRange.count == tensor.elementCount * tensor.elementType.bitCount / 8)
            #expect(tensor.withBytes { bytes in bytes.contains { $0 != 0 } }, "\(name) is all zero")
            byteCount += tensor.byteRange.count
            tensor.discard()
        }
        #expect(checkpoint.byteCount == byteCount)
        #expect(try checkpoint.tensor(ifPresent: "no.such.tensor") == nil)
    }
}

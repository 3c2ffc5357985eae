import ModelFiles
import TestSupport
import Testing

@Suite struct QuantizeTests {
    @Test("writes a folder that generates, and refuses to write it again")
    func writes() throws {
        let folder = try TemporaryFolder()
        let arguments = ["quantize", Golden.path("models/llama_dense-bf16"), folder.path("out")]
        let result = try CommandRunner.run(arguments)
        #expect(result.status == 0)
        #expect(result.output.isEmpty)
        #expect(result.errors.contains("21 modules quantized"))
        let generated = try CommandRunner.run([
            "generate", "--model", folder.path("out"), "To be", "--max-new-tokens", "2", "--temperature", "0",
        ])
        #expect(generated.status == 0)
        let again = try CommandRunner.run(arguments)
        #expect(again.status == 1)
        #expect(again.errors.contains("exists already"))
    }

    @Test("writes the layout that is asked for, and else the one that engines load")
    func layouts() throws {
        let folder = try TemporaryFolder()
        let source = Golden.path("models/qwen3_dense-bf16")
        let asked = try CommandRunner.run([
            "quantize", source, folder.path("asked"), "--format", "mxfp4", "--layout", "modelopt", "--exclude", "-x",
        ])
        #expect(asked.status == 0)
        #expect(asked.errors.contains("--exclude '-x' matches no module\n"))
        let askedConfig = try ModelFolder(path: folder.path("asked")).config.object("quantization_config")
        #expect(try askedConfig.string("quant_algo") == "mxfp4")
        let result = try CommandRunner.run(["quantize", source, folder.path("out"), "--format", "mxfp4"])
        #expect(result.status == 0)
        let config = try ModelFolder(path: folder.path("out")).config.object("quantization_config")
        #expect(try config.string("format") == "mxfp4-pack-quantized")
    }
}

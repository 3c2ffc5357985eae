import ModelFiles
import TestSupport
import Testing

@Suite struct GenerationConfigTests {
    private func read(_ generation: String?, config: String = "{}") throws -> GenerationConfig {
        let folder = try TemporaryFolder()
        try folder.write(config, to: "config.json")
        if let generation { try folder.write(generation, to: "generation_config.json") }
        return try GenerationConfig(folder: ModelFolder(path: folder.path))
    }

    @Test("reads what the authors recommend")
    func reads() throws {
        let config = try read(
            #"""
            {"bos_token_id": 1, "eos_token_id": [2, 3], "pad_token_id": 0, "do_sample": true, "temperature": 0.6,
             "top_k": 20, "top_p": 0.9, "min_p": 0.05, "repetition_penalty": 1.1}
            """#)
        #expect(config.beginTokens == [1])
        #expect(config.endTokens == [2, 3])
        #expect(config.paddingToken == 0)
        #expect(config.samples == true)
        #expect(config.temperature == 0.6)
        #expect(config.topK == 20)
        #expect(config.topP == 0.9)
        #expect(config.minP == 0.05)
        #expect(config.repetitionPenalty == 1.1)
    }

    @Test("falls back to config.json and its text_config for tokens")
    func fallsBack() throws {
        let config = try read(
            #"{"bos_token_id": null, "pad_token_id": -1}"#,
            config: #"{"eos_token_id": 5, "text_config": {"bos_token_id": 6, "eos_token_id": [7], "pad_token_id": 8}}"#)
        #expect(config.beginTokens == [6])
        #expect(config.endTokens == [5])
        #expect(config.paddingToken == 8)
        #expect(config.temperature == nil)
        let none = try read(nil)
        #expect(none.beginTokens.isEmpty && none.endTokens.isEmpty && none.paddingToken == nil)
    }

    @Test(
        "refuses values out of range",
        arguments: [
            (#"{"temperature": -1}"#, "temperature"), (#"{"temperature": "hot"}"#, "temperature"),
            (#"{"top_p": 1.5}"#, "top_p"), (#"{"top_p": 0}"#, "top_p"), (#"{"top_k": -1}"#, "top_k"),
            (#"{"top_k": 1.5}"#, "top_k"),
            (#"{"min_p": 2}"#, "min_p"), (#"{"repetition_penalty": 0}"#, "repetition_penalty"),
            (#"{"repetition_penalty": 1e-40}"#, "repetition_penalty"),
            (#"{"do_sample": 1}"#, "do_sample"), (#"{"eos_token_id": [1, -2]}"#, "eos_token_id[1]"),
            (#"{"eos_token_id": 4294967296}"#, "eos_token_id"), (#"{"bos_token_id": {}}"#, "bos_token_id"),
        ])
    func refuses(text: String, item: String) {
        let error = #expect(throws: ModelFileError.self) { try read(text) }
        #expect(error?.code == .mismatched)
        #expect(error?.item == item)
        #expect(error?.file.hasSuffix("/generation_config.json") == true)
    }

    @Test("reads those of the golden checkpoints", arguments: GoldenCheckpointTests.folders)
    func golden(folder: String) throws {
        let config = try GenerationConfig(folder: ModelFolder(path: Golden.path("models/\(folder)")))
        let isHarmony = folder.hasPrefix("gpt_oss")
        let isQwen = folder.hasPrefix("qwen3")
        #expect(config.beginTokens == (isHarmony ? [] : isQwen ? [560] : [496]))
        #expect(config.endTokens == (isHarmony || isQwen ? [562] : [497, 498]))
        #expect(config.samples == true)
        #expect(config.temperature == 0.6)
        #expect(config.topP == 0.9)
        #expect(config.topK == nil)
    }
}

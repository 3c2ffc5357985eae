import Kernels
import ModelFiles
import Models
import TestSupport
import Testing
import Tokenization

@testable import Engine

@Suite struct GeneratorTests {
    private let model: TextModel<CPUBackend>
    private let prompt: [Int]
    private let greedy: [Int]

    init() throws {
        let reference = try #require(ReferenceModel.all.first { $0.name == "qwen3_moe-ct-nvfp4" })
        model = try TextModel(Checkpoint(path: reference.folder), backend: CPUBackend(threadCount: 2))
        let expected = try #require(reference.references(quantizedActivations: false).prompts.first)
        prompt = expected.input.map { Int($0) }
        greedy = expected.greedy.map { Int($0) }
    }

    @Test("streams exactly the text of its tokens")
    func streaming() throws {
        var pieces: [String] = []
        let result = try Generator(model).generate(
            GenerationRequest(prompt: prompt, maximumTokenCount: 16), onText: { pieces.append($0) })
        #expect(result.tokens == greedy)
        #expect(pieces.joined() == result.text)
        #expect(result.text == model.tokenizer?.decode(greedy))
        #expect(result.finishReason == .length)
        #expect(result.timePerOutputToken != nil)
    }

    @Test("an end token ends the generation and is not part of it")
    func endToken() throws {
        let request = GenerationRequest(prompt: prompt, maximumTokenCount: 16, endTokens: [greedy[5]])
        let result = try Generator(model).generate(request)
        let end = try #require(greedy.firstIndex(of: greedy[5]))
        #expect(result.tokens == Array(greedy[..<end]))
        #expect(result.finishReason == .stop)
    }

    @Test("a prompt prefilled in small chunks continues in the same way")
    func chunkedPrefill() throws {
        let reference = try #require(ReferenceModel.all.first { $0.name == "qwen3_moe-ct-nvfp4" })
        let small = try TextModel(
            Checkpoint(path: reference.folder), backend: CPUBackend(threadCount: 1), maximumRowCount: 3)
        let result = try Generator(small).generate(GenerationRequest(prompt: prompt, maximumTokenCount: 16))
        #expect(result.tokens == greedy)
    }

    @Test(
        "prompts that the model cannot take are refused",
        arguments: [[], [-1], [576], [Int](repeating: 1, count: 4096)])
    func invalidPrompts(_ tokens: [Int]) {
        #expect(throws: EngineError.self) {
            try Generator(model).generate(GenerationRequest(prompt: tokens, maximumTokenCount: 4))
        }
    }

    @Test("the context's end ends the generation")
    func contextEnd() throws {
        let short = try TextModel(
            Checkpoint(path: Golden.path("models/gpt_oss-mxfp4")), backend: CPUBackend(threadCount: 2))
        let context = short.transformer.specification.contextLength
        let result = try Generator(short).generate(GenerationRequest(prompt: (0..<context - 2).map { $0 % 500 }))
        #expect(result.tokens.count == 2)
        #expect(result.finishReason == .length)
    }
}

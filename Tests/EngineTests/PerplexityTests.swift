import Kernels
import ModelFiles
import Models
import TestSupport
import Testing

@testable import Engine

@Suite struct PerplexityTests {
    private func model(_ name: String) throws -> TextModel<CPUBackend> {
        try TextModel(Checkpoint(path: Golden.path("models/" + name)), backend: CPUBackend(threadCount: 2))
    }

    @Test("agrees with the reference's logits over a row that the begin token precedes")
    func referenceLoss() throws {
        let reference = try #require(ReferenceModel.all.first { $0.name == "llama_dense-bf16" })
        let prompt = try #require(reference.references(quantizedActivations: false).prompts.first)
        let model = try model(reference.name)
        #expect(prompt.input.first.map { Int($0) } == model.generationConfig.beginTokens.first)

        let row = prompt.input.dropFirst().map { Int($0) }
        let width = model.transformer.specification.vocabularySize
        let losses = row.enumerated().map { position, target in
            Double(prompt.logSumExp[position] - prompt.logits[position * width + target])
        }
        let expected = losses.reduce(0, +) / Double(losses.count)
        let found = try model.perplexity(of: row, rowLength: row.count)
        #expect((found.loss - expected).magnitude < 1e-4)
        #expect(found.tokenCount == row.count)
    }

    @Test("drops a partial last row, and says how far it has come")
    func partialRow() throws {
        let model = try model("llama_dense-bf16")
        var progress: [Int] = []
        let found = try model.perplexity(of: Array(1...23), rowLength: 10) { done, total in
            progress.append(done)
            #expect(total == 2)
        }
        #expect(found.tokenCount == 20)
        #expect(progress == [1, 2])
    }

    @Test("without a begin token a row's first token is not predicted")
    func noBeginToken() throws {
        let model = try model("gpt_oss-mxfp4")
        #expect(model.generationConfig.beginTokens.isEmpty)
        #expect(try model.perplexity(of: Array(1...10), rowLength: 10).tokenCount == 9)
    }

    @Test("a token outside the vocabulary is refused, also where it is only predicted", arguments: [-1, 1 << 20])
    func unknownToken(_ token: Int) throws {
        let model = try model("llama_dense-bf16")
        let error = #expect(throws: EngineError.self) { try model.perplexity(of: [1, 2, token], rowLength: 3) }
        #expect(error?.description.hasPrefix("token \(token) is outside the model's vocabulary") == true)
    }

    @Test("a text shorter than a row, and a row longer than the context, are refused", arguments: [1, 11, 5000])
    func refusals(_ rowLength: Int) throws {
        let model = try model("llama_dense-bf16")
        #expect(throws: EngineError.self) { try model.perplexity(of: Array(1...10), rowLength: rowLength) }
    }
}

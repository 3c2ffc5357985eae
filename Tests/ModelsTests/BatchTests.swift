import Kernels
import ModelFiles
import Models
import TestSupport
import Testing

@Suite struct BatchTests {
    @Test("several sequences in a step give what each gives alone")
    func sequencesAreIndependent() throws {
        let model = try #require(ReferenceModel.all.first { $0.name.hasPrefix("llama4_scout-modelopt") })
        let checkpoint = try Checkpoint(path: model.folder)
        let specification = try ModelSpecification(config: checkpoint.config)
        let backend = try CPUBackend(threadCount: 2)
        let weights = try ModelLoader(checkpoint, backend: backend).load(specification)
        let transformer = try Transformer(specification: specification, weights: weights, backend: backend)
        let prompts: [[Int32]] = [[5, 6, 7, 8, 9], [100, 101], [300, 12, 400, 33, 44, 55, 66]]

        let alone = try prompts.map { prompt in
            let rows = SequenceRows(
                cache: try transformer.makeCache(capacity: 8), rows: 0..<prompt.count, firstPosition: 0)
            return try transformer.step(tokens: prompt, sequences: [rows], logitRows: [prompt.count - 1])
        }
        var sequences: [SequenceRows<CPUBackend.KeyValueCache>] = []
        var lastRows: [Int] = []
        var start = 0
        for prompt in prompts {
            sequences.append(
                SequenceRows(
                    cache: try transformer.makeCache(capacity: 8), rows: start..<start + prompt.count,
                    firstPosition: 0))
            start += prompt.count
            lastRows.append(start - 1)
        }
        let together = try transformer.step(
            tokens: prompts.flatMap { $0 }, sequences: sequences, logitRows: lastRows)
        for (left, right) in zip(alone.flatMap { $0 }, together) {
            #expect((left - right).magnitude < 1e-4)
        }
    }
}

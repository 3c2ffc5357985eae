import Kernels
import ModelFiles
import Models
import TestSupport
import Testing

/// Every architecture and checkpoint layout against transformers, in float32.
@Suite struct ReferenceLogitsTests {
    /// The bound that `Tests/Golden/README.md` gives for float32.
    private static let tolerance: Float = 1e-3

    @Test("computes the logits of transformers", arguments: ReferenceModel.all)
    func fullPrecision(_ model: ReferenceModel) throws {
        try compare(model)
    }

    /// Compares with references that quantize the input of every quantized layer.
    ///
    /// Quantizing activations is not continuous: where a value lies within rounding noise of the border between two
    /// codes, the last bit decides, and a token and those that attend to it come out differently (docs/numerics.md).
    @Test(
        "computes the logits and tokens of the W4A4 emulation",
        arguments: ReferenceModel.all.filter(\.hasQuantizedActivations))
    func quantizedActivations(_ model: ReferenceModel) throws {
        let runner = try Runner(model, activations: .nvfp4)
        for prompt in try model.references(quantizedActivations: true).prompts {
            let differences = try runner.differences(from: prompt)
            // One code that PyTorch's own variants of attention decide differently.
            let isTie = model.name.hasPrefix("qwen3_moe-modelopt") && prompt.name == "p2"
            let decided = isTie ? prompt.positions.prefix { $0 < 37 }.count : prompt.positions.count
            #expect(differences.prefix(decided).allSatisfy { $0 < Self.tolerance }, "\(model) \(prompt.name)")
            if decided == prompt.positions.count { try compareTokens(of: runner, with: prompt, model) }
        }
    }

    @Test("gives the same bits of W4A4 with every fused multiply-add")
    func quantizedActivationsOfInstructionSets() throws {
        let model = try #require(ReferenceModel.all.first { $0.name.hasPrefix("llama4_scout-modelopt") })
        let prompt = try #require(model.references(quantizedActivations: true).prompts.first { $0.name == "p1" })
        let logits = try InstructionSet.available.filter { $0 != .plain }.map { set in
            try Runner(model, activations: .nvfp4, instructionSet: set).logits(prompt.input, chunk: 512)
        }
        #expect(logits.dropFirst().allSatisfy { $0 == logits.first })
    }

    /// Integers of 8 bits err by 0.4% of the largest of 16 at most.
    ///
    /// Logits, of a standard deviation of 3, are then off by 0.31 at most where there are no experts. Where a router's
    /// choice is close, it may be another one, and a token's logits those of other experts: the median tells.
    @Test(
        "stays close to the logits of transformers with activations of 8 bits",
        arguments: ReferenceModel.all.filter { !$0.name.hasSuffix("bf16") })
    func int8Activations(_ model: ReferenceModel) throws {
        let runner = try Runner(model, activations: .int8)
        let differences = try model.references(quantizedActivations: false).prompts.flatMap {
            try runner.differences(from: $0)
        }.sorted()
        let median = differences[differences.count / 2]
        #expect(median > Self.tolerance && median < 0.4, "\(model)")
        if model.name.contains("dense") { #expect(differences.allSatisfy { $0 < 0.4 }, "\(model)") }
    }

    @Test("gives the same bits in float32 whether or not it is asked for")
    func defaultActivations() throws {
        let model = try #require(ReferenceModel.all.first { $0.name == "qwen3_moe-ct-nvfp4" })
        #expect(try CPUBackend(threadCount: 1).activationPrecision == .full)
        let prompt = try #require(model.references(quantizedActivations: false).prompts.first { $0.name == "p0" })
        let logits = try [nil, ActivationPrecision.full, .int8].map { activations in
            try Runner(model, activations: activations).logits(prompt.input, chunk: 512)
        }
        #expect(logits[0] == logits[1] && logits[0] != logits[2])
    }

    @Test("gives the same logits on every instruction set", arguments: InstructionSet.available)
    func instructionSets(_ set: InstructionSet) throws {
        for name in ["llama4_scout-modelopt-nvfp4-default-kvfp8", "gpt_oss-mxfp4"] {
            let model = try #require(ReferenceModel.all.first { $0.name == name })
            try compare(model, instructionSet: set)
        }
    }

    @Test("gives the same logits token by token as at once", arguments: ReferenceModel.all)
    func tokenByToken(_ model: ReferenceModel) throws {
        let runner = try Runner(model, activations: .full)
        let prompt = try #require(model.references(quantizedActivations: false).prompts.first { $0.name == "p1" })
        let atOnce = try runner.logits(prompt.input, chunk: prompt.input.count)
        for chunk in [1, 7] {
            let inChunks = try runner.logits(prompt.input, chunk: chunk)
            #expect(maximumDifference(atOnce, inChunks) < 1e-4)
        }
    }

    private func compare(_ model: ReferenceModel, instructionSet: InstructionSet? = nil) throws {
        let runner = try Runner(model, activations: .full, instructionSet: instructionSet)
        for prompt in try model.references(quantizedActivations: false).prompts {
            let differences = try runner.differences(from: prompt)
            #expect(differences.allSatisfy { $0 < Self.tolerance }, "\(model) \(prompt.name)")
            try compareTokens(of: runner, with: prompt, model)
        }
    }

    private func compareTokens(of runner: Runner, with prompt: References.Prompt, _ model: ReferenceModel) throws {
        // A step whose two best logits nearly tie may go either way, and all after it with it.
        let decided = prompt.margins.firstIndex { $0 < Self.tolerance } ?? prompt.greedy.count
        let greedy = try runner.greedy(prompt.input, count: decided)
        #expect(greedy == Array(prompt.greedy.prefix(decided)), "\(model) \(prompt.name)")
    }
}

/// A loaded reference model.
private struct Runner {
    private let transformer: Transformer<CPUBackend>

    var vocabularySize: Int { transformer.specification.vocabularySize }

    init(
        _ model: ReferenceModel, activations: ActivationPrecision?, instructionSet: InstructionSet? = nil
    ) throws {
        let checkpoint = try Checkpoint(path: model.folder)
        let specification = try ModelSpecification(config: checkpoint.config)
        let backend =
            if let activations {
                try CPUBackend(threadCount: 2, activationPrecision: activations, instructionSet: instructionSet)
            } else {
                try CPUBackend(threadCount: 2, instructionSet: instructionSet)
            }
        let weights = try ModelLoader(checkpoint, backend: backend).load(specification)
        transformer = try Transformer(specification: specification, weights: weights, backend: backend)
    }

    /// Logits after every token, `[T, V]`, the tokens fed in chunks.
    func logits(_ tokens: [Int32], chunk: Int) throws -> [Float] {
        let cache = try transformer.makeCache(capacity: tokens.count)
        var logits: [Float] = []
        for start in stride(from: 0, to: tokens.count, by: chunk) {
            let rows = Array(tokens[start..<min(start + chunk, tokens.count)])
            logits += try step(rows, cache: cache, position: start, logitRows: Array(rows.indices))
        }
        return logits
    }

    /// The largest difference of a logit from the reference at each of its positions.
    func differences(from prompt: References.Prompt) throws -> [Float] {
        let logits = try logits(prompt.input, chunk: 512)
        let width = vocabularySize
        return prompt.positions.enumerated().map { index, position in
            maximumDifference(
                Array(logits[position * width..<(position + 1) * width]),
                Array(prompt.logits[index * width..<(index + 1) * width]))
        }
    }

    /// The most likely continuation.
    func greedy(_ prompt: [Int32], count: Int) throws -> [Int32] {
        let cache = try transformer.makeCache(capacity: prompt.count + count)
        var tokens = prompt
        var position = 0
        for _ in 0..<count {
            let rows = Array(tokens[position...])
            let logits = try step(rows, cache: cache, position: position, logitRows: [rows.count - 1])
            position = tokens.count
            let best = try #require(logits.indices.max { logits[$0] < logits[$1] })
            tokens.append(Int32(best))
        }
        return Array(tokens[prompt.count...])
    }

    private func step(
        _ rows: [Int32], cache: CPUBackend.KeyValueCache, position: Int, logitRows: [Int]
    ) throws -> [Float] {
        try transformer.step(
            tokens: rows, sequences: [SequenceRows(cache: cache, rows: 0..<rows.count, firstPosition: position)],
            logitRows: logitRows)
    }
}

private func maximumDifference(_ left: [Float], _ right: [Float]) -> Float {
    guard left.count == right.count else { return .infinity }
    return zip(left, right).reduce(0) { max($0, ($1.0 - $1.1).magnitude.isNaN ? .infinity : ($1.0 - $1.1).magnitude) }
}

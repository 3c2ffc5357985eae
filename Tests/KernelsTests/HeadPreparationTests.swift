import Testing

@testable import Kernels

struct HeadPreparationTests {
    private static let frequencies = (0..<8).map { Float(1) / Float(1 << (2 * $0)) }
    private static let rotations = [
        RotaryEmbedding(inverseFrequencies: frequencies, pairing: .interleaved),
        RotaryEmbedding(inverseFrequencies: frequencies, pairing: .halfSplit),
        RotaryEmbedding(inverseFrequencies: frequencies, pairing: .halfSplit, magnitude: 1.3465736),
    ]
    private static let norms: [HeadNorm<[Float]>] = [
        .none,
        .weightedBeforeRotation(
            query: (0..<16).map { 0.5 + Float($0) / 16 }, key: (0..<16).map { 1.5 - Float($0) / 16 }, epsilon: 1e-6),
        .unweightedAfterRotation(epsilon: 1e-2),
    ]

    @Test("normalizes and rotates in the documented order", arguments: rotations.indices, norms.indices)
    func order(rotation: Int, norm: Int) throws {
        var test = AttentionCase(lengths: [70])
        test.attention.rotary = Self.rotations[rotation]
        test.attention.headNorm = Self.norms[norm]
        try expectPrepared(test, firstPosition: 0)
        let backend = try CPUBackend(threadCount: 2)
        #expect(largestDifference(try test.outputs(stepSize: 33, on: backend), test.reference) < 1e-5)
    }

    @Test("scales the queries of layers without rotation by their position")
    func temperature() throws {
        var test = AttentionCase(lengths: [70])
        test.attention.temperature = AttentionTemperature(floorScale: 16, scale: 0.1)
        try expectPrepared(test, firstPosition: 0)
    }

    @Test("rotates odd and wide heads", arguments: [2, 6, 34, 128], [RotaryEmbedding.Pairing.interleaved, .halfSplit])
    func sizes(headSize: Int, pairing: RotaryEmbedding.Pairing) throws {
        var test = AttentionCase(headSize: headSize, lengths: [5])
        test.attention.rotary = RotaryEmbedding(
            inverseFrequencies: (0..<headSize / 2).map { 1 / Float($0 + 1) }, pairing: pairing)
        for instructionSet in InstructionSet.available {
            try expectPrepared(test, firstPosition: 0, instructionSet: instructionSet)
        }
    }

    @Test("computes angles as float32 products, as transformers does")
    func farPositions() throws {
        // Pairs of a head of 128 with theta = 500,000, by NumPy; with exact products pair 1 has the cosine 0.97498.
        let frequencies: [Float] = [
            1.0, 0.8146172165870667, 0.3587302267551422, 0.016560440883040428, 0.00027424818836152554,
            2.4551407022954663e-06,
        ]
        let expected: [(cosine: Float, sine: Float)] = [
            (-0.999360807, 0.035748798), (0.975625564, 0.219441926), (-0.679970561, 0.733239412),
            (-0.911146342, -0.412082933), (-0.660346806, 0.750960782), (0.970012507, 0.243055006),
        ]
        let rotary = RotaryEmbedding(inverseFrequencies: frequencies, pairing: .halfSplit)
        var table = RotaryTable()
        let pool = try ThreadPool(threadCount: 1)
        let blocks = UnsafeMutableBufferPointer<UnsafeMutablePointer<Float>?>(start: nil, count: 0)
        let steps = [StepRow(row: 0, position: 100_000, blocks: blocks)]
        let rows = try table.rows(of: rotary, for: steps, pool: pool)
        for (pair, values) in expected.enumerated() {
            #expect(abs(rows.cosines(0)[pair] - values.cosine) < 1e-7)
            #expect(abs(rows.sines(0)[pair] - values.sine) < 1e-7)
        }
    }

    @Test("rotates again when positions or the embedding change")
    func tableChanges() throws {
        let backend = try CPUBackend(threadCount: 1)
        var test = AttentionCase(lengths: [9])
        for rotation in Self.rotations + Self.rotations.reversed() {
            test.attention.rotary = rotation
            #expect(largestDifference(try test.outputs(stepSize: 4, on: backend), test.reference) < 1e-5)
        }
    }

    /// Compares the rows after preparation with the reference, values unchanged.
    private func expectPrepared(
        _ test: AttentionCase, firstPosition: Int, instructionSet: InstructionSet? = nil
    ) throws {
        let backend = try CPUBackend(threadCount: 2, instructionSet: instructionSet)
        let attention = try test.attention.mapVectors(backend.makeVector)
        let cache = try backend.makeKeyValueCache(layers: [attention], capacity: 100)
        let rows = test.sequences[0]
        let projected = try backend.makeActivations(rows)
        try backend.prepareHeads(
            projected, attention: attention, layer: 0,
            sequences: [SequenceRows(cache: cache, rows: 0..<rows.count, firstPosition: firstPosition)])
        let reference = ReferenceAttention(attention: test.attention)
        let expected = rows.enumerated().flatMap { position, row in
            let heads = reference.prepared(row, position: position)
            return (heads.queries + heads.keys + heads.values).flatMap { $0 }
        }
        #expect(largestDifference(try backend.read(projected, rowCount: rows.count), expected) < 2e-6)
    }
}

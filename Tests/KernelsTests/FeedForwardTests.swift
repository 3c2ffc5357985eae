import FP4
import TestSupport
import Testing

@testable import Kernels

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

struct FeedForwardTests {
    static let gatedActivations: [GatedActivation] = [.swiglu, .clampedSwiglu(alpha: 1.702, limit: 0.4)]

    /// An expert in float64.
    private struct Expert {
        let gate: MatrixCase
        let up: MatrixCase
        let down: MatrixCase
        let biases: ExpertWeights.Biases?

        init(
            _ format: MatrixCase.Format, hiddenSize: Int, intermediateSize: Int, hasBiases: Bool,
            gateFormat: MatrixCase.Format? = nil,
            encodeScales: (gate: Float?, up: Float?, down: Float?) = (nil, nil, nil), random: inout SeededRandom
        ) {
            gate = MatrixCase(
                gateFormat ?? format, rowCount: intermediateSize, columnCount: hiddenSize, layout: .interleaved,
                inputEncodeScale: encodeScales.gate, random: &random)
            up = MatrixCase(
                format, rowCount: intermediateSize, columnCount: hiddenSize, layout: .interleaved,
                inputEncodeScale: encodeScales.up, random: &random)
            down = MatrixCase(
                format, rowCount: hiddenSize, columnCount: intermediateSize, inputEncodeScale: encodeScales.down,
                random: &random)
            biases =
                hasBiases
                ? ExpertWeights.Biases(
                    gate: random.floats(intermediateSize), up: random.floats(intermediateSize),
                    down: random.floats(hiddenSize)) : nil
        }

        var weights: ExpertWeights {
            ExpertWeights(gate: gate.matrix, up: up.matrix, down: down.matrix, biases: biases)
        }

        /// `quantize` rounds what enters a matrix.
        func output(
            _ row: [Float], activation: GatedActivation, quantize: ([Float], MatrixCase) -> [Float] = { row, _ in row }
        ) -> [Double] {
            let g = Self.product(quantize(row, gate), gate, bias: biases?.gate)
            let u = Self.product(quantize(row, up), up, bias: biases?.up)
            let hidden = zip(g, u).map { g, u in
                switch activation {
                case .swiglu: return g / (1 + exp(-g)) * u
                case .clampedSwiglu(let alpha, let limit):
                    let (g, u) = (min(g, Double(limit)), max(-Double(limit), min(u, Double(limit))))
                    return (u + 1) * g / (1 + exp(-Double(alpha) * g))
                }
            }
            return Self.product(quantize(hidden.map { Float($0) }, down), down, bias: biases?.down)
        }

        private static func product(_ row: [Float], _ matrix: MatrixCase, bias: [Float]?) -> [Double] {
            (0..<matrix.matrix.rowCount).map { output in
                zip(row, matrix.values[(output * row.count)...]).reduce(Double(bias?[output] ?? 0)) {
                    $0 + Double($1.0) * $1.1
                }
            }
        }
    }

    private func activations(_ rows: [[Float]]) throws -> CPUActivations {
        let buffer = try CPUActivations(rowCount: rows.count, columnCount: rows[0].count)
        for (index, row) in rows.enumerated() { buffer.row(index).update(from: row, count: row.count) }
        return buffer
    }

    /// The largest difference, relative to the root mean square of what is expected.
    private func error(_ values: [Float], _ expected: [Double]) -> Double {
        let square = expected.reduce(0) { $0 + $1 * $1 } / Double(expected.count)
        return (zip(values, expected).map { abs(Double($0) - $1) }.max() ?? .nan) / square.squareRoot()
    }

    @Test("computes a dense layer", arguments: LinearTests.instructionSets, gatedActivations)
    func dense(instructionSet: InstructionSet, activation: GatedActivation) throws {
        var random = SeededRandom(seed: 21)
        let backend = try CPUBackend(threadCount: 2, instructionSet: instructionSet)
        for (format, hiddenSize, intermediateSize) in [
            (MatrixCase.Format.nvfp4, 64, 80), (.mxfp4, 96, 64), (.bfloat16, 40, 35), (.float32, 17, 20),
        ] {
            for hasBiases in [false, true] {
                let expert = Expert(
                    format, hiddenSize: hiddenSize, intermediateSize: intermediateSize, hasBiases: hasBiases,
                    random: &random)
                let layer = try backend.makeFeedForward([expert.weights], activation: activation)
                for rowCount in [1, 2, 7, 30] {
                    let rows = (0..<rowCount).map { _ in random.floats(hiddenSize) }
                    let before = (0..<rowCount).map { _ in random.floats(hiddenSize) }
                    let output = try activations(before)
                    try backend.feedForward(
                        layer, input: try activations(rows), rowCount: rowCount, addingTo: output)
                    let expected = zip(rows, before).flatMap { row, before in
                        zip(expert.output(row, activation: activation), before).map { $0 + Double($1) }
                    }
                    #expect(try error(backend.read(output, rowCount: rowCount), expected) < 1e-5)
                }
            }
        }
    }

    /// Assignments of rows to experts, and the sum they ask for.
    private struct RoutedCase {
        let experts: [Expert]
        let rows: [[Float]]
        let choices: [[(expert: Int, weight: Float)]]

        func assignments() -> ExpertAssignments {
            var assignments = ExpertAssignments()
            let ids = choices.flatMap { $0.map { Int32($0.expert) } }
            let weights = choices.flatMap { $0.map(\.weight) }
            ids.withUnsafeBufferPointer { ids in
                weights.withUnsafeBufferPointer {
                    assignments.group(
                        experts: ids, weights: $0, topK: choices[0].count, expertCount: experts.count)
                }
            }
            return assignments
        }

        func expected(
            activation: GatedActivation, placement: Routing.WeightPlacement,
            quantize: ([Float], MatrixCase) -> [Float] = { row, _ in row }
        ) -> [Double] {
            zip(rows, choices).flatMap { row, choices in
                var sum = [Double](repeating: 0, count: row.count)
                for (expert, weight) in choices {
                    let input = placement == .input ? row.map { $0 * weight } : row
                    let output = experts[expert].output(input, activation: activation, quantize: quantize)
                    for (index, value) in output.enumerated() {
                        sum[index] += placement == .input ? value : value * Double(weight)
                    }
                }
                return sum
            }
        }
    }

    /// Expert 3 gets every row, expert 1 the first one, the last expert none, the others some.
    private func routedCase(
        _ experts: [Expert], rowCount: Int, topK: Int, hiddenSize: Int, random: inout SeededRandom
    ) -> RoutedCase {
        let rows = (0..<rowCount).map { _ in random.floats(hiddenSize) }
        let choices = (0..<rowCount).map { row in
            ([3] + (row == 0 ? [1, 0, 2] : [0, 2, 4].shuffled(using: &random))).prefix(topK).map {
                (expert: $0, weight: Float.random(in: 0.1...1, using: &random))
            }
        }
        return RoutedCase(experts: experts, rows: rows, choices: choices)
    }

    /// What the experts add to rows of zeros, with any number of threads.
    private func result(
        of test: RoutedCase, placement: Routing.WeightPlacement, activationPrecision: ActivationPrecision = .full,
        instructionSet: InstructionSet
    ) throws -> [Float] {
        let hiddenSize = test.rows[0].count
        let results = try [1, 3].map { threadCount in
            let backend = try CPUBackend(
                threadCount: threadCount, activationPrecision: activationPrecision, instructionSet: instructionSet)
            let layer = try backend.makeFeedForward(test.experts.map(\.weights), activation: .swiglu)
            let output = try CPUActivations(rowCount: test.rows.count, columnCount: hiddenSize)
            try backend.runExperts(
                layer, assignments: test.assignments(), weightPlacement: placement,
                input: try activations(test.rows), addingTo: output)
            return try backend.read(output, rowCount: test.rows.count)
        }
        #expect(results[0] == results[1], "the number of threads changes the result")
        return results[0]
    }

    /// A hidden value at a border may round to the other neighbour: few outputs may differ by more.
    private func expectFewDiffer(_ values: [Float], from expected: [Double]) {
        let size = (expected.reduce(0) { $0 + $1 * $1 } / Double(expected.count)).squareRoot()
        let differing = zip(values, expected).filter { abs(Double($0) - $1) > 1e-5 * size }
        #expect(differing.count <= expected.count / 10)
    }

    @Test("computes the experts of each row", arguments: LinearTests.instructionSets, [1, 2, 11, 30])
    func routed(instructionSet: InstructionSet, rowCount: Int) throws {
        var random = SeededRandom(seed: 22)
        for (format, topK, placement) in [
            (MatrixCase.Format.nvfp4, 3, Routing.WeightPlacement.output), (.nvfp4, 1, .input), (.mxfp4, 4, .input),
            (.bfloat16, 3, .output),
        ] {
            let experts = (0..<6).map { _ in
                Expert(format, hiddenSize: 96, intermediateSize: 64, hasBiases: true, random: &random)
            }
            let test = routedCase(experts, rowCount: rowCount, topK: topK, hiddenSize: 96, random: &random)
            let values = try result(of: test, placement: placement, instructionSet: instructionSet)
            #expect(error(values, test.expected(activation: .swiglu, placement: placement)) < 1e-5)
        }
    }

    @Test("quantizes what enters each matrix for W4A4, after the router's weight", arguments: [1, 12])
    func quantizedInputs(rowCount: Int) throws {
        var random = SeededRandom(seed: 23)
        let scales: [(Float?, Float?, Float?)] = [(nil, nil, nil), (2500, 2500, 10000), (2500, 2000, nil)]
        var experts = scales.map {
            Expert(
                .nvfp4, hiddenSize: 64, intermediateSize: 48, hasBiases: false, encodeScales: $0, random: &random)
        }
        experts += [.mxfp4, .bfloat16].map {
            Expert(
                .nvfp4, hiddenSize: 64, intermediateSize: 48, hasBiases: false, gateFormat: $0, random: &random)
        }
        func quantize(_ row: [Float], _ matrix: MatrixCase) -> [Float] {
            guard case .nvfp4 = matrix.matrix.encoding else { return row }
            var values = row
            let encodeScale =
                matrix.matrix.inputEncodeScale
                ?? NVFP4.encodeScale(absoluteMaximum: row.map(abs).max() ?? 0)
            row.withUnsafeBufferPointer { row in
                values.withUnsafeMutableBufferPointer {
                    NVFP4.fakeQuantize(activations: row, encodeScale: encodeScale, into: $0)
                }
            }
            return values
        }
        let backend = try CPUBackend(threadCount: 2, activationPrecision: .nvfp4)
        let layer = try backend.makeFeedForward(experts.map(\.weights), activation: .swiglu)
        let rows = (0..<rowCount).map { _ in random.floats(64) }
        for placement in [Routing.WeightPlacement.input, .output] {
            for first in 0..<experts.count - 1 {
                let test = RoutedCase(
                    experts: experts, rows: rows,
                    choices: rows.map { _ in [(expert: first, weight: Float(0.75)), (expert: first + 1, weight: 0.5)] })
                let output = try CPUActivations(rowCount: rowCount, columnCount: 64)
                try backend.runExperts(
                    layer, assignments: test.assignments(), weightPlacement: placement,
                    input: try activations(rows), addingTo: output)
                let expected = test.expected(activation: .swiglu, placement: placement, quantize: quantize)
                expectFewDiffer(try backend.read(output, rowCount: rowCount), from: expected)
            }
        }
    }

    @Test(
        "rounds what enters each quantized matrix to 8 bits", arguments: LinearTests.instructionSets, [1, 3, 12, 70])
    func int8Inputs(instructionSet: InstructionSet, rowCount: Int) throws {
        var random = SeededRandom(seed: 25)
        let formats: [(MatrixCase.Format, gate: MatrixCase.Format)] = [
            (.bfloat16, .bfloat16), (.nvfp4, .bfloat16), (.nvfp4, .mxfp4), (.mxfp4, .mxfp4), (.nvfp4, .nvfp4),
        ]
        let experts = formats.map {
            Expert($0, hiddenSize: 96, intermediateSize: 64, hasBiases: true, gateFormat: $1, random: &random)
        }
        func quantize(_ row: [Float], _ matrix: MatrixCase) -> [Float] {
            switch matrix.matrix.encoding {
            case .nvfp4, .mxfp4: roundedToInt8(row)
            default: row
            }
        }
        for placement in [Routing.WeightPlacement.input, .output] {
            let test = routedCase(experts, rowCount: rowCount, topK: 3, hiddenSize: 96, random: &random)
            let values = try result(
                of: test, placement: placement, activationPrecision: .int8, instructionSet: instructionSet)
            let expected = test.expected(activation: .swiglu, placement: placement, quantize: quantize)
            expectFewDiffer(values, from: expected)
            #expect(error(values, expected) < 0.01)
        }
    }

    @Test("keeps the accuracy of its activation far from zero", arguments: LinearTests.instructionSets)
    func activationAccuracy(instructionSet: InstructionSet) throws {
        let backend = try CPUBackend(threadCount: 1, instructionSet: instructionSet)
        let expert = ExpertWeights(
            gate: MatrixCase.one(name: "gate"), up: MatrixCase.one(name: "up"), down: MatrixCase.one(name: "down"))
        let layer = try backend.makeFeedForward([expert], activation: .swiglu)
        let inputs = (-240...240).map { Float($0) * 0.37 }
        let output = try CPUActivations(rowCount: inputs.count, columnCount: 1)
        try backend.feedForward(
            layer, input: try activations(inputs.map { [$0] }), rowCount: inputs.count, addingTo: output)
        for (x, value) in zip(inputs, try backend.read(output, rowCount: inputs.count)) {
            let expected = Double(x) * Double(x) / (1 + exp(-Double(x)))
            #expect(abs(Double(value) - expected) <= 1e-6 * abs(expected) + 1e-34)
        }
    }

    @Test("refuses matrices that do not fit together")
    func refusals() throws {
        var random = SeededRandom(seed: 24)
        let backend = try CPUBackend(threadCount: 1)
        let a = Expert(.nvfp4, hiddenSize: 32, intermediateSize: 48, hasBiases: false, random: &random)
        let b = Expert(.nvfp4, hiddenSize: 32, intermediateSize: 64, hasBiases: false, random: &random)
        #expect(throws: KernelError("a feed-forward layer without experts")) {
            try backend.makeFeedForward([], activation: .swiglu)
        }
        #expect(throws: KernelError("nvfp4[64, 32]: [64, 32], expected [48, 32]")) {
            try backend.makeFeedForward([a.weights, b.weights], activation: .swiglu)
        }
        #expect(throws: KernelError("nvfp4[32, 64]: [32, 64], expected [32, 48]")) {
            try backend.makeFeedForward(
                [ExpertWeights(gate: a.gate.matrix, up: a.up.matrix, down: b.down.matrix)], activation: .swiglu)
        }
        let short = ExpertWeights.Biases(gate: random.floats(48), up: random.floats(47), down: random.floats(32))
        #expect(throws: KernelError("nvfp4[48, 32]: a bias of 47 values, expected 48")) {
            try backend.makeFeedForward(
                [ExpertWeights(gate: a.gate.matrix, up: a.up.matrix, down: a.down.matrix, biases: short)],
                activation: .swiglu)
        }
        let two = try backend.makeFeedForward([a.weights, a.weights], activation: .swiglu)
        let buffer = try CPUActivations(rowCount: 1, columnCount: 32)
        #expect(throws: KernelError("a layer of 2 experts without a router, expected 1")) {
            try backend.feedForward(two, input: buffer, rowCount: 1, addingTo: buffer)
        }
    }
}

import TestSupport

import Testing

@testable import Kernels

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

struct RoutingTests {
    private static let scores: [Routing.Score] = [
        .softmax(renormalized: true), .softmax(renormalized: false), .softmaxOfSelected, .sigmoid,
    ]

    private func choose(
        _ logits: [[Float]], topK: Int, score: Routing.Score, threadCount: Int = 1
    ) throws -> ExpertSelection {
        var selection = ExpertSelection()
        selection.choose(
            Routing(topK: topK, score: score, weightPlacement: .output), logits: logits.flatMap { $0 },
            rowStride: logits[0].count, rowCount: logits.count, expertCount: logits[0].count,
            pool: try ThreadPool(threadCount: threadCount))
        return selection
    }

    /// The definition: sort all experts, score all logits.
    private func expected(_ logits: [Float], topK: Int, score: Routing.Score) -> [(expert: Int32, weight: Double)] {
        let order = logits.indices.sorted { logits[$0] == logits[$1] ? $0 < $1 : logits[$0] > logits[$1] }.prefix(topK)
        let exponentials = logits.map { exp(Double($0)) }
        let sum = exponentials.reduce(0, +)
        let chosenSum = order.map { exponentials[$0] }.reduce(0, +)
        return order.map { expert in
            let weight =
                switch score {
                case .softmax(renormalized: false): exponentials[expert] / sum
                case .softmax(renormalized: true): (exponentials[expert] / sum) / (chosenSum / sum)
                case .softmaxOfSelected: exponentials[expert] / chosenSum
                case .sigmoid: 1 / (1 + exp(-Double(logits[expert])))
                }
            return (Int32(expert), weight)
        }
    }

    @Test("chooses and weighs as defined", arguments: scores, [(8, 1), (8, 2), (8, 8), (128, 8), (1, 1), (32, 4)])
    func definition(score: Routing.Score, size: (expertCount: Int, topK: Int)) throws {
        var random = SeededRandom(seed: 7)
        // Coarse values, so that there are many ties.
        let logits = (0..<300).map { _ in random.floats(size.expertCount, scale: 12).map { ($0 * 2).rounded() / 2 } }
        for threadCount in [1, 3] {
            let selection = try choose(logits, topK: size.topK, score: score, threadCount: threadCount)
            let expected = logits.flatMap { self.expected($0, topK: size.topK, score: score) }
            #expect(selection.experts == expected.map(\.expert))
            #expect(largestDifference(selection.weights, expected.map(\.weight)) < 1e-6)
        }
    }

    @Test("stays finite for large logits", arguments: scores)
    func largeLogits(score: Routing.Score) throws {
        let selection = try choose([[1000, -1000, 999, 500], [-1000, -1001, -3000, -1000]], topK: 2, score: score)
        #expect(selection.experts == [0, 2, 0, 3])
        #expect(selection.weights.allSatisfy { $0 >= 0 && $0 <= 1 })
    }

    @Test("counts NaN as lower than every number", arguments: scores)
    func notNumbers(score: Routing.Score) throws {
        let logits: [[Float]] = [
            [.nan, 1, .nan, -5], [.nan, .nan, .nan, .nan], [.nan, -.infinity, .nan, .infinity],
            [-.infinity, -.infinity, -.infinity, -.infinity],
        ]
        let selection = try choose(logits, topK: 3, score: score)
        #expect(selection.experts == [1, 3, 0, 0, 1, 2, 3, 1, 0, 0, 1, 2])
        #expect(selection.weights[2].isNaN)
    }

    @Test(
        "adds the weighted outputs of the chosen experts", arguments: scores, [Routing.WeightPlacement.input, .output])
    func experts(score: Routing.Score, placement: Routing.WeightPlacement) throws {
        var random = SeededRandom(seed: 5)
        // Every expert is down * silu(gate * x) * (up * x) of single numbers.
        let factors = (0..<5).map { _ in
            (0..<3).map { _ in MatrixCase(.float32, rowCount: 1, columnCount: 1, random: &random) }
        }
        let backend = try CPUBackend(threadCount: 2)
        let layer = try backend.makeFeedForward(
            factors.map { ExpertWeights(gate: $0[0].matrix, up: $0[1].matrix, down: $0[2].matrix) },
            activation: .swiglu)
        let rows = (0..<40).map { _ in random.floats(1, scale: 3) }
        let logits = (0..<40).map { _ in random.floats(5, scale: 4) }
        let output = try backend.makeActivations(rows)
        try backend.routeToExperts(
            layer, routing: Routing(topK: 2, score: score, weightPlacement: placement),
            logits: try backend.makeActivations(logits), input: try backend.makeActivations(rows), rowCount: 40,
            addingTo: output)

        let expected = zip(rows, logits).map { row, logits in
            self.expected(logits, topK: 2, score: score).reduce(Double(row[0])) { sum, choice in
                let factor = factors[Int(choice.expert)].map { $0.values[0] }
                let x = Double(row[0]) * (placement == .input ? choice.weight : 1)
                let gate = factor[0] * x
                let result = factor[2] * gate / (1 + exp(-gate)) * factor[1] * x
                return sum + result * (placement == .output ? choice.weight : 1)
            }
        }
        #expect(largestDifference(try backend.read(output, rowCount: 40), expected) < 1e-5)
    }

    @Test("refuses more experts for a token than there are", arguments: [0, -1, 5, .max])
    func topK(topK: Int) throws {
        let backend = try CPUBackend(threadCount: 1)
        let logits = try backend.makeActivations([[1, 2, 3, 4]])
        let routing = Routing(topK: topK, score: .sigmoid, weightPlacement: .input)
        #expect(throws: KernelError.self) {
            try backend.assignExperts(routing, logits: logits, rowCount: 1, expertCount: 4)
        }
    }

    @Test("refuses logits of another size")
    func sizes() throws {
        let backend = try CPUBackend(threadCount: 1)
        let logits = try backend.makeActivations([[1, 2, 3, 4]])
        let routing = Routing(topK: 1, score: .sigmoid, weightPlacement: .input)
        for (rowCount, expertCount) in [(2, 4), (-1, 4), (1, 3), (1, 5)] {
            #expect(throws: KernelError.self) {
                try backend.assignExperts(routing, logits: logits, rowCount: rowCount, expertCount: expertCount)
            }
        }
        try backend.assignExperts(routing, logits: logits, rowCount: 1, expertCount: 4)
        #expect(backend.assignments.offsets == [0, 0, 0, 0, 1])
    }

    @Test("groups rows by expert", arguments: [(1, 8, 1), (5, 4, 2), (64, 8, 3), (200, 128, 8), (3, 3, 3)])
    func grouping(rowCount: Int, expertCount: Int, topK: Int) throws {
        var random = SeededRandom(seed: 3)
        let logits = (0..<rowCount).map { _ in random.floats(expertCount) }
        let selection = try choose(logits, topK: topK, score: .sigmoid)
        var assignments = ExpertAssignments()
        // Twice, so that what is left of a larger step does no harm.
        for count in [rowCount, (rowCount + 1) / 2] {
            let choices = 0..<count * topK
            selection.experts.withUnsafeBufferPointer { experts in
                selection.weights.withUnsafeBufferPointer { weights in
                    assignments.group(
                        experts: .init(rebasing: experts[choices]), weights: .init(rebasing: weights[choices]),
                        topK: topK, expertCount: expertCount)
                }
            }
            let sorted = choices.map {
                (expert: Int(selection.experts[$0]), row: $0 / topK, weight: selection.weights[$0])
            }
            .sorted { ($0.expert, $0.row) < ($1.expert, $1.row) }
            #expect(assignments.expertCount == expertCount)
            #expect(assignments.rows == sorted.map(\.row))
            #expect(assignments.weights == sorted.map(\.weight))
            #expect(assignments.offsets == (0...expertCount).map { end in sorted.count { $0.expert < end } })
            let slots = (0..<count).flatMap { row in sorted.indices.filter { sorted[$0].row == row } }
            #expect(assignments.slots == slots)
        }
    }
}

import CUDAKernels
import Kernels
import Testing

@testable import SelfTest

@Suite("Route oracle")
struct RouteOracleTests {
    private func choices(_ method: Route.Method, topK: Int, _ logits: [Float], biases: [Float] = []) -> [(Int, Double)]
    {
        var gap = Double.infinity
        return RouteOracle.choices(method, topK: topK, logits: logits[...], biases: biases, gap: &gap)
            .map { ($0.expert, $0.weight) }
    }

    @Test("chooses as the CPU backend does, equal logits by index")
    func selection() throws {
        let logits: [Float] = [1, 3, -2, 3, 0.5, 2, 2, -1]
        let activations = try CPUActivations(rowCount: 1, columnCount: logits.count)
        try activations.write(logits)
        let backend = try CPUBackend()
        for (score, method) in [
            (Routing.Score.sigmoid, Route.Method.sigmoid), (.softmaxOfSelected, .softmaxOfSelected),
            (.softmax(renormalized: false), .softmax),
        ] {
            try backend.selectExperts(
                Routing(topK: 4, score: score, weightPlacement: .output), logits: activations, rowCount: 1)
            #expect(backend.selectedExperts.map { Int($0) } == choices(method, topK: 4, logits).map(\.0))
        }
    }

    @Test("weights are sigmoids, or shares of exponentials")
    func weights() {
        #expect(choices(.sigmoid, topK: 1, [0, -1]).map(\.1) == [0.5])
        #expect(choices(.softmaxOfSelected, topK: 2, [1, 1, -9]).map(\.1) == [0.5, 0.5])
        #expect(choices(.softmax, topK: 1, [0, 0, 0, 0]).map(\.1) == [0.25])
    }

    @Test("groups are chosen by their two best, with biases that do not enter the weights")
    func groups() {
        let method = Route.Method.biasedSigmoid(groupCount: 2, chosenGroupCount: 1, renormalized: false)
        // Without the bias the first group would be the better one.
        let chosen = choices(method, topK: 2, [3, 2, 0, 0], biases: [0, 0, 1, 1])
        #expect(chosen.map(\.0) == [2, 3] && chosen.map(\.1) == [0.5, 0.5])
    }

    @Test("rows are sorted by expert and then by token")
    func rows() {
        let rows = RouteOracle.Rows([[(1, 0.5), (0, 0.25)], [(1, 1), (2, 2)]], blockRowCounts: [1, 8])
        #expect(rows.tokens == [0, 0, 1, 1] && rows.weights == [0.25, 0.5, 1, 2])
        #expect(rows.slotRows == [1, 0, 2, 3])
        #expect(rows.blockLists[0].first == 4 && rows.blockLists[1].first == 3)
    }
}

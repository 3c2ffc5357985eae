internal import CUDA
internal import CUDAKernels
internal import FP4
internal import Models

extension SelfTest {
    func testRoute(_ onResult: (Result) throws -> Void) throws {
        let methods: [(String, Route.Method, Int, Int)] = [
            ("sigmoid", .sigmoid, 16, 1), ("softmax of selected", .softmaxOfSelected, 128, 8),
            ("softmax", .softmax, 8, 2), ("softmax of selected", .softmaxOfSelected, 32, 4),
            ("softmax", .softmax, 512, 16), ("sigmoid", .sigmoid, 5, 3),
            (
                "biased sigmoid in groups", .biasedSigmoid(groupCount: 8, chosenGroupCount: 4, renormalized: true), 256,
                8
            ),
            (
                "biased sigmoid", .biasedSigmoid(groupCount: 1, chosenGroupCount: 1, renormalized: false), 64, 6
            ),
        ]
        for (name, method, expertCount, topK) in methods {
            for logits in Route.Logits.allCases {
                let route = try Route(
                    method, logits: logits, expertCount: expertCount, topK: topK,
                    blockRowCounts: MoELayer.blockRowCounts)
                let router = try route.load(from: loader.sources, loader.cache, in: loader.context, tokenCount: 4096)
                let counts =
                    selection.isSmall
                    ? [0, 1, 9, 33, 65, 300] : [0, 1, 2, 7, 8, 9, 31, 33, 64, 65, 256, 257, 1000, 4096]
                for tokenCount in counts {
                    let error = try deviation(router, tokenCount: tokenCount)
                    try onResult(
                        Result(
                            operation: "route",
                            name: "\(name), \(logits) logits, E\(expertCount) top-\(topK), \(tokenCount) tokens",
                            error: error, bound: 1e-5))
                }
            }
        }
    }

    /// The largest error of a weight; infinite if a row, a token or a block is another one.
    private func deviation(_ router: Router, tokenCount: Int) throws -> Double {
        let route = router.route
        var random = random("route \(route.expertCount) \(route.topK) \(tokenCount)")
        var logits = Activations(
            rowCount: tokenCount, columnCount: route.expertCount, amplitude: 4, using: &random)
        let biases = Activations(rowCount: 1, columnCount: route.expertCount, amplitude: 0.5, using: &random).values
        let biasBuffer = try DeviceBuffer<Float>(loader.context, count: route.expertCount)
        let rows = try RoutedRows(loader.context, route, tokenCount: tokenCount)
        let workspace = try RouteWorkspace(for: route, on: stream)
        let choices = (0..<tokenCount).map { token in
            // Where the choice hangs on the last digit of a sigmoid, both are right: other logits are drawn.
            while true {
                var gap = Double.infinity
                let row = logits.values[token * route.expertCount..<(token + 1) * route.expertCount]
                let choices = RouteOracle.choices(
                    route.method, topK: route.topK, logits: row, biases: biases, gap: &gap)
                if gap > 1e-5 { return choices }
                for expert in 0..<route.expertCount {
                    logits[token, expert] = Float(BFloat16(Float.random(in: -4...4, using: &random)))
                }
            }
        }
        try stream.write(biases, to: biasBuffer)
        for list in rows.blockLists { try stream.fill(list, byte: 0xFF) }
        switch route.logits {
        case .bfloat16:
            let buffer = try DeviceBuffer<UInt16>(loader.context, count: logits.values.count)
            try logits.copy(to: buffer, pitch: route.expertCount, on: stream)
            try router.launch(
                on: stream, logits: buffer, biases: biasBuffer, tokenCount: tokenCount, into: rows, workspace: workspace
            )
        case .float32:
            let buffer = try DeviceBuffer<Float>(loader.context, count: logits.values.count)
            try stream.write(logits.values, to: buffer)
            try router.launch(
                on: stream, logits: buffer, biases: biasBuffer, tokenCount: tokenCount, into: rows, workspace: workspace
            )
        }
        let expected = RouteOracle.Rows(choices, blockRowCounts: route.blockRowCounts)
        guard try stream.read(rows.rowTokens) == expected.tokens else { return .infinity }
        guard try stream.read(rows.slotRows) == expected.slotRows else { return .infinity }
        for (list, expected) in zip(rows.blockLists, expected.blockLists) {
            let found = try stream.read(list)
            guard found.first == expected.first, found[4...].starts(with: expected[4...]) else { return .infinity }
        }
        let errors = try zip(stream.read(rows.rowWeights), expected.weights).map { abs(Double($0) - $1) }
        return errors.max() ?? 0
    }
}

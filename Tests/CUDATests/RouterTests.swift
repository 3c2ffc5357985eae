import CUDA
import Testing

@testable import CUDAKernels

extension FakeDriverTests {
    @Suite("Routers")
    struct RouterTests {
        let fake: FakeCUDA
        let stream: Stream

        init() throws {
            fake = try FakeCUDA()
            stream = try Stream(try fake.context())
        }

        private func router(_ route: Route, on stream: Stream? = nil, tokenCount: Int) throws -> Router {
            let cache = KernelCache(compiler: try fake.compiler(), folder: nil)
            return try route.load(
                from: .embedded, cache, in: (stream ?? self.stream).context, tokenCount: tokenCount)
        }

        private func qwen() throws -> Route {
            try Route(.softmaxOfSelected, expertCount: 128, topK: 8, blockRowCounts: [32, 128])
        }

        @Test(
            "divides tokens among blocks",
            arguments: [
                (0, Route.Plan.Exchange.none, 1, 1, 128), (1, .none, 1, 1, 128), (16, .none, 16, 1, 576),
                (17, .cluster, 5, 4, 192), (64, .cluster, 8, 8, 256), (65, .memory, 8, 9, 1024),
                (257, .memory, 16, 17, 1024), (4096, .memory, 32, 128, 1024), (65280, .memory, 495, 132, 1024),
            ])
        func plan(
            tokenCount: Int, exchange: Route.Plan.Exchange, tokensPerBlock: Int, blockCount: Int, threadCount: Int
        ) throws {
            let plan = try qwen().plan(tokenCount: tokenCount, multiprocessorCount: 132, hasClusters: true)
            #expect(
                plan
                    == Route.Plan(
                        exchange: exchange, tokensPerBlock: tokensPerBlock, blockCount: blockCount,
                        threadCount: threadCount))
        }

        @Test(
            "any number of tokens fits its blocks, and they fit the GPU",
            arguments: [(16, 1), (60, 4), (128, 8), (512, 16)], [false, true])
        func everyPlan(size: (expertCount: Int, topK: Int), hasClusters: Bool) throws {
            let route = try Route(.sigmoid, expertCount: size.expertCount, topK: size.topK, blockRowCounts: [8])
            for multiprocessorCount in [1, 4, 132] {
                for tokenCount in Array(0...70) + (3...60).map({ 18 * $0 * $0 }) {
                    let plan = route.plan(
                        tokenCount: tokenCount, multiprocessorCount: multiprocessorCount, hasClusters: hasClusters)
                    #expect(plan.tokensPerBlock * plan.blockCount >= tokenCount)
                    #expect(plan.tokensPerBlock * (plan.blockCount - 1) < max(1, tokenCount))
                    #expect(plan.blockCount <= (plan.exchange == .cluster ? 8 : max(1, multiprocessorCount)))
                    #expect(plan.exchange != .cluster || plan.tokensPerBlock <= 32)
                    #expect(plan.exchange != .none || plan.blockCount == 1)
                    #expect(plan.blockCount == 1 || plan.exchange == .cluster || plan.threadCount >= size.expertCount)
                    #expect(plan.threadCount % 64 == 0 && 128...route.threadCount ~= plan.threadCount)
                }
            }
        }

        @Test(
            "launches a cluster or blocks all over the GPU",
            arguments: [(64, 8, true), (8, 1, false), (4096, 4, false)])
        func launch(tokenCount: Int, blockCount: UInt32, isCluster: Bool) throws {
            let route = try Route(.sigmoid, logits: .bfloat16, expertCount: 512, topK: 1, blockRowCounts: [32])
            let rows = try RoutedRows(stream.context, route, tokenCount: tokenCount)
            let logits = try DeviceBuffer<UInt16>(stream.context, count: tokenCount * 512)
            let workspace = try RouteWorkspace(for: route, on: stream)
            try router(route, tokenCount: tokenCount).launch(
                on: stream, logits: logits, tokenCount: tokenCount, factor: 2, into: rows, workspace: workspace)
            let launch = try #require(try fake.launches().first)
            #expect(launch.kernel == "route")
            #expect(launch.grid == [blockCount, 1, 1])
            #expect(launch.cluster == (isCluster ? [blockCount, 1, 1] : [0, 0, 0]))
            #expect(launch.overlapsPrevious)
            #expect(launch.parameters[1] == [UInt8](repeating: 0, count: 8))
            #expect(launch.parameters[2] == withUnsafeBytes(of: Float(2)) { Array($0) })
            #expect(launch.parameters[10] == [UInt8](repeating: 0, count: 8))
            let memory = [workspace.turn.address, workspace.counts.address]
            #expect(launch.parameters[11...12] == memory.map { withUnsafeBytes(of: $0) { Array($0) } }[...])
        }

        @Test("needs no clusters before Hopper")
        func oldDevice() throws {
            try fake.setDevices(1, 8, 0)
            let stream = try Stream(try fake.context())
            let route = try Route(.softmax, expertCount: 512, topK: 16, blockRowCounts: [32, 128])
            let rows = try RoutedRows(stream.context, route, tokenCount: 64)
            try router(route, on: stream, tokenCount: 64).launch(
                on: stream, logits: try DeviceBuffer<Float>(stream.context, count: 64 * 512), tokenCount: 64,
                into: rows,
                workspace: RouteWorkspace(for: route, on: stream))
            let launch = try #require(try fake.launches().first)
            #expect(launch.cluster == [0, 0, 0] && !launch.overlapsPrevious)
        }

        @Test("shapes that the kernel does not have are refused")
        func shapes() {
            func route(
                _ method: Route.Method = .softmax, experts: Int = 64, topK: Int = 4, lists: [Int] = [32]
            ) throws {
                _ = try Route(method, expertCount: experts, topK: topK, blockRowCounts: lists)
            }
            func groups(_ count: Int, _ chosenCount: Int) -> Route.Method {
                .biasedSigmoid(groupCount: count, chosenGroupCount: chosenCount, renormalized: true)
            }
            refused("513 experts") { try route(experts: 513) }
            refused("0 experts") { try route(experts: 0) }
            refused("17 experts for each token") { try route(topK: 17) }
            refused("expected 1 to 2") { try route(experts: 2, topK: 3) }
            refused("row blocks of []") { try route(lists: []) }
            refused("row blocks of [0]") { try route(lists: [0]) }
            refused("row blocks of [1, 2, 3]") { try route(lists: [1, 2, 3]) }
            refused("1 of 0 groups, expected at least 1") { try route(groups(0, 1)) }
            refused("1 of -1 groups") { try route(groups(-1, 1)) }
            refused("64 experts in \(Int.max) groups") { try route(groups(.max, 1)) }
            refused("\(Int.max) of 8 groups") { try route(groups(8, .max)) }
            refused("64 experts in 7 groups") { try route(groups(7, 1)) }
            refused("64 experts in 64 groups") { try route(groups(64, 8)) }
            refused("96 experts in 6 groups") { try route(groups(6, 3), experts: 96) }
            refused("0 of 8 groups") { try route(groups(8, 0)) }
            refused("9 of 8 groups") { try route(groups(8, 9)) }
            refused("2 of 1 groups") { try route(groups(1, 2)) }
            refused("1 of 16 groups for 8 experts") { try route(groups(16, 1), topK: 8) }
        }

        @Test("too many tokens are refused before anything is compiled")
        func tooManyTokens() throws {
            let route = try qwen()
            refused("up to 65281 tokens") { _ = try router(route, tokenCount: 65281) }
            refused("up to -1 tokens") { _ = try router(route, tokenCount: -1) }
            #expect(try !fake.calls().contains("nvrtcCompileProgram"))
        }

        @Test("buffers that do not fit are refused before the launch")
        func buffers() throws {
            let route = try Route(
                .biasedSigmoid(groupCount: 8, chosenGroupCount: 4, renormalized: true), expertCount: 256, topK: 8,
                blockRowCounts: [32])
            let context = stream.context
            let router = try router(route, tokenCount: 10)
            let rows = try RoutedRows(context, route, tokenCount: 4)
            let logits = try DeviceBuffer<Float>(context, count: 10 * 256)
            let biases = try DeviceBuffer<Float>(context, count: 256)
            let workspace = try RouteWorkspace(for: route, on: stream)
            func launch(
                _ logits: DeviceBuffer<some BitwiseCopyable>, _ biases: DeviceBuffer<Float>?, tokenCount: Int,
                into rows: RoutedRows, _ workspace: RouteWorkspace
            ) throws {
                try router.launch(
                    on: stream, logits: logits, biases: biases, tokenCount: tokenCount, into: rows,
                    workspace: workspace)
            }
            try launch(logits, biases, tokenCount: 4, into: rows, workspace)
            #expect(try fake.launches().count == 1)
            refused("0 biases") { try launch(logits, nil, tokenCount: 4, into: rows, workspace) }
            refused("no room for 40 rows") { try launch(logits, biases, tokenCount: 5, into: rows, workspace) }
            refused("11 tokens") { try launch(logits, biases, tokenCount: 11, into: rows, workspace) }
            refused("256 logits of 4 bytes") { try launch(biases, biases, tokenCount: 2, into: rows, workspace) }
            refused("logits of 2 bytes") {
                let halves = try DeviceBuffer<UInt16>(context, count: 1024)
                try launch(halves, biases, tokenCount: 2, into: rows, workspace)
            }
            refused("a workspace for 64 experts, expected 256") {
                let small = try Route(.softmax, expertCount: 64, topK: 8, blockRowCounts: [32])
                try launch(logits, biases, tokenCount: 4, into: rows, RouteWorkspace(for: small, on: stream))
            }
            refused("rows of top-4, expected top-8") {
                let few = try RoutedRows(
                    context, Route(.softmax, expertCount: 256, topK: 4, blockRowCounts: [32]), tokenCount: 10)
                try launch(logits, biases, tokenCount: 4, into: few, workspace)
            }
            refused("a list of 8 words") {
                let short = RoutedRows(
                    rowTokens: rows.rowTokens, rowWeights: rows.rowWeights, slotRows: rows.slotRows,
                    offsets: rows.offsets, blockLists: [try rows.blockLists[0].part(0..<8)],
                    blockRowCounts: rows.blockRowCounts, expertCount: rows.expertCount, topK: rows.topK,
                    isComplete: true)
                try launch(logits, biases, tokenCount: 2, into: short, workspace)
            }
            #expect(try fake.launches().count == 1)
        }
    }
}

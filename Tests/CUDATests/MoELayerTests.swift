import CUDA
import Kernels
import Testing

@testable import CUDAKernels

extension FakeDriverTests {
    @Suite("MoE layer")
    struct MoELayerTests: LayerTests {
        let gpu: FakeGPU

        init() throws { gpu = try FakeGPU() }

        @Test("a launch carries the layer's memory, sizes and constants")
        func launch() throws {
            let layer = try layer(.gptOSS)
            let workspace = try MoEWorkspace(layer.configuration, on: stream)
            let (input, output) = (try activations(layer), try activations(layer))
            let rows = try rows([[0, 3], [3, 1], [0, 2]], layer)
            try layer.enqueue(
                tokenCount: 3, input: input, rows: rows, routingIsEarly: true, residual: output, output: output,
                workspace: workspace, on: stream)
            let launch = try #require(try fake.launches().last)
            #expect(launch.kernel == "stream_experts")
            // The fake has four SMs; sixteen warps multiply, four finish sums, one copies weights, three bring rows.
            #expect(launch.grid == [4, 1, 1] && launch.block == [768, 1, 1])
            #expect(launch.overlapsPrevious)
            let arguments = parameter(of: launch, as: MoEStream.Arguments.self)
            #expect(arguments.routing.list == rows.blockLists[0].address)
            #expect(arguments.routing.rowTokens == rows.rowTokens.address)
            #expect(arguments.routing.rowWeights == rows.rowWeights.address)
            #expect(arguments.up.weights == layer.weights.up.address && arguments.up.inputs == input.address)
            #expect(arguments.up.inputPitch == 128)
            #expect(arguments.down.weights == layer.weights.down.address)
            #expect(
                arguments.down.inputs == workspace.streamed?.hidden.address && arguments.hidden == arguments.down.inputs
            )
            #expect(arguments.down.inputPitch == 192)
            #expect(arguments.output == output.address && arguments.residual == output.address)
            #expect(arguments.upScales == layer.weights.upScales.address)
            #expect(arguments.upBiases == layer.weights.upBiases.address && arguments.upBiases != 0)
            #expect(arguments.downBiases == layer.weights.downBiases.address && arguments.downBiases != 0)
            #expect(arguments.limit == 7 && arguments.slope == 1.702)
            #expect(arguments.partials == workspace.streaming.partials.address)
            #expect(arguments.state == workspace.streaming.state.address)
            #expect(arguments.tokenCount == 3 && arguments.routingIsEarly == 1 && arguments.weightsRowsOnInput == 0)
        }

        @Test("one token whose routing is known early has a kernel of its own, which leaves room for the next launch")
        func early() throws {
            let layer = try layer(.gptOSS)
            let workspace = try MoEWorkspace(layer.configuration, on: stream)
            let (input, output) = (try activations(layer), try activations(layer))
            let rows = try rows([[0, 3]], layer)
            let before = try fake.launches().count
            for isEarly in [true, false] {
                try layer.enqueue(
                    tokenCount: 1, input: input, rows: rows, routingIsEarly: isEarly, output: output,
                    workspace: workspace, on: stream)
            }
            let launches = Array(try fake.launches()[before...])
            // Eight and sixteen warps multiply, four finish sums, one copies weights, one and three bring rows.
            #expect(launches.map(\.block) == [[448, 1, 1], [768, 1, 1]])
        }

        @Test("the shared expert comes first, then the others on top of it, which route up to 8 tokens themselves")
        func fewTokens() throws {
            var configuration = MoEConfiguration.llama4
            configuration.backend = .latency
            let layer = try layer(configuration)
            let workspace = try MoEWorkspace(layer.configuration, on: stream)
            let (input, output) = (try activations(layer), try activations(layer))
            let logits = try DeviceBuffer<UInt16>(loader.context, count: 16 * 4)
            let before = try fake.launches().count
            try layer.enqueue(
                tokenCount: 8, input: input, logits: logits, residual: input, output: output, workspace: workspace,
                on: stream)
            let launches = try fake.launches()[before...]
            #expect(launches.map(\.kernel) == ["stream_experts", "stream_experts"])
            let arguments = launches.map { launch in
                parameter(of: launch, as: MoEStream.Arguments.self)
            }
            #expect(arguments.map(\.logits) == [0, logits.address])
            #expect(arguments.map(\.residual) == [input.address, output.address])
            #expect(arguments.map(\.routingIsEarly) == [1, 0])
            #expect(arguments[1].routerFactor == 1 && arguments[1].routerBiases == 0)
            let short = try logits.part(0..<31)
            #expect(throws: CUDAError.self) {
                try layer.enqueue(
                    tokenCount: 8, input: input, logits: short, output: output, workspace: workspace, on: stream)
            }
        }

        @Test("routing of more tokens comes first, then the shared expert, then the others on top of it")
        func order() throws {
            var configuration = MoEConfiguration.llama4
            configuration.backend = .latency
            let layer = try layer(configuration)
            let workspace = try MoEWorkspace(layer.configuration, on: stream)
            let (input, output) = (try activations(layer), try activations(layer))
            let logits = try DeviceBuffer<UInt16>(loader.context, count: 16 * 4)
            let before = try fake.launches().count
            try layer.enqueue(
                tokenCount: 9, input: input, logits: logits, residual: input, output: output, workspace: workspace,
                on: stream)
            let launches = try fake.launches()[before...]
            #expect(launches.map(\.kernel) == ["route", "stream_experts", "stream_experts"])
            let arguments = launches.dropFirst().map { launch in
                parameter(of: launch, as: MoEStream.Arguments.self)
            }
            #expect(arguments.map(\.residual) == [input.address, output.address])
            #expect(arguments.map(\.routingIsEarly) == [1, 0] && arguments.map(\.logits) == [0, 0])
            #expect(arguments[0].routing.rowTokens == 0 && arguments[0].routing.rowWeights == 0)
            #expect(arguments[1].routing.list == workspace.rows.blockLists[0].address)
        }

        @Test("launches of a layer with two workspaces share no memory that they write to")
        func workspaces() throws {
            let layer = try layer(.llama4)
            let (input, output) = (try activations(layer), try activations(layer))
            let logits = try DeviceBuffer<UInt16>(loader.context, count: 16 * 4)
            let before = try fake.launches().count
            var workspaces: [MoEWorkspace] = []
            for index in 0..<2 {
                workspaces.append(try MoEWorkspace(layer.configuration, on: stream))
                try layer.enqueue(
                    tokenCount: 16, input: input, logits: logits, output: output, workspace: workspaces[index],
                    on: stream)
            }
            let routes = try fake.launches()[before...].filter { $0.kernel == "route" }
            #expect(routes.count == 2)
            // Rows, lists, and what the blocks of the routing tell each other.
            for parameter in 5...12 {
                #expect(routes.first?.parameters[parameter] != routes.last?.parameters[parameter], "\(parameter)")
            }
        }

        @Test("any number of tokens is captured, without memory or waiting")
        func capture() throws {
            var configuration = MoEConfiguration.llama4
            configuration.backend = .latency
            let layer = try layer(configuration)
            let workspace = try MoEWorkspace(layer.configuration, on: stream)
            let (input, output) = (try activations(layer), try activations(layer))
            for tokenCount in [0, 1, 2, 5, 8, 9, 16] {
                let rows = try rows([[Int]](repeating: [1], count: tokenCount), layer)
                let before = try fake.calls().count
                var during: [String] = []
                let graph = try stream.capture {
                    for _ in 0..<2 {
                        try layer.enqueue(
                            tokenCount: tokenCount, input: input, rows: rows, output: output, workspace: workspace,
                            on: stream)
                    }
                    during = Array(try fake.calls()[before...])
                }
                // The shared expert, then the others.
                #expect(graph.nodeCount == (tokenCount == 0 ? 0 : 4))
                #expect(
                    Set(during).isSubset(of: ["cuCtxSetCurrent", "cuStreamBeginCapture_v2", "cuLaunchKernelEx"]),
                    "\(during)")
            }
            let arguments = try #require(try fake.launches().last?.parameters[0]).withUnsafeBytes {
                $0.loadUnaligned(as: MoEStream.Arguments.self)
            }
            #expect(
                arguments.weightsRowsOnInput == 1 && arguments.upBiases == 0 && arguments.residual == output.address)
            #expect(try fake.misuse() == nil)
        }

        @Test(
            "tokens without an expert get the residual or zeros before the experts run", arguments: MoEBackend.allCases)
        func tokensWithoutExperts(_ backend: MoEBackend) throws {
            var configuration = MoEConfiguration.llama4
            configuration.backend = backend
            configuration.sharedExpertCount = 0
            let layer = try layer(configuration)
            let workspace = try MoEWorkspace(configuration, on: stream)
            let (input, output) = (try activations(layer), try activations(layer))
            for (residual, call) in [(nil, "cuMemsetD8Async"), (input, "cuMemcpyDtoDAsync_v2"), (output, nil)] {
                let rows = try rows([[1], []], layer)
                let before = try fake.calls().count
                try layer.enqueue(
                    tokenCount: 2, input: input, rows: rows, residual: residual, output: output, workspace: workspace,
                    on: stream)
                let calls = try fake.calls()[before...].filter { $0.hasPrefix("cuMem") }
                #expect(calls == [call].compactMap { $0 })
            }
        }
    }
}

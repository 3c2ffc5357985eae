import CUDA
import Kernels
import Testing

@testable import CUDAKernels

extension FakeDriverTests {
    @Suite("MoE layer")
    struct MoELayerTests {
        let fake: FakeCUDA
        let loader: KernelLoader
        let stream: Stream

        // The fake reads no more than the kernels' declarations, which the host appends.
        private static let sources = KernelSources(files: [
            MoEStream.path: "", RepackWeights.path: "", MoEGemm.path: "", MoEPack.path: "", MoECombine.path: "",
            "any/route.cu": KernelSources.embedded.files["any/route.cu"] ?? "",
            "common/choice.cuh": "", "common/moe.cuh": "", "common/ptx.cuh": "",
        ])

        init() throws {
            fake = try FakeCUDA()
            let cache = KernelCache(compiler: try fake.compiler(), folder: nil)
            loader = KernelLoader(try fake.context(), sources: Self.sources, cache: cache)
            stream = try Stream(loader.context)
        }

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
            // The fake has four SMs; sixteen warps multiply, four finish sums, two copy.
            #expect(launch.grid == [4, 1, 1] && launch.block == [704, 1, 1])
            #expect(launch.overlapsPrevious)
            let arguments = launch.parameters[0].withUnsafeBytes {
                $0.loadUnaligned(as: MoEStream.Arguments.self)
            }
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

        @Test("the shared expert comes first, then the others on top of it, which route up to 8 tokens themselves")
        func fewTokens() throws {
            let layer = try layer(.llama4)
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
                launch.parameters[0].withUnsafeBytes { $0.loadUnaligned(as: MoEStream.Arguments.self) }
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
                launch.parameters[0].withUnsafeBytes { $0.loadUnaligned(as: MoEStream.Arguments.self) }
            }
            #expect(arguments.map(\.residual) == [input.address, output.address])
            #expect(arguments.map(\.routingIsEarly) == [1, 0] && arguments.map(\.logits) == [0, 0])
            #expect(arguments[0].routing.rowTokens == 0 && arguments[0].routing.rowWeights == 0)
            #expect(arguments[1].routing.list == workspace.rows.blockLists[0].address)
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

        @Test("what does not fit is refused before anything is queued")
        func refusals() throws {
            let layer = try layer(.llama4)
            let workspace = try MoEWorkspace(layer.configuration, on: stream)
            let (input, rows) = (try activations(layer), try rows([[0]], layer))
            var larger = layer.configuration
            larger.maximumTokenCount = 17
            let foreign = try MoEWorkspace(larger, on: stream)
            func made(of expert: Int = 0, tokenCount: Int = 1, limits: [Int]) throws -> RoutedRows {
                let choices = [[HostRoutedRows.Choice]](
                    repeating: [.init(expert: expert, weight: 1)], count: tokenCount)
                return try RoutedRows(HostRoutedRows(choices, topK: 1, blockRowCounts: limits), on: stream)
            }
            func refused(
                _ words: String, tokenCount: Int = 1, input: DeviceBuffer<UInt16>? = nil, rows: RoutedRows? = nil,
                workspace: MoEWorkspace? = nil, default values: (DeviceBuffer<UInt16>, RoutedRows, MoEWorkspace)
            ) {
                let error = #expect(throws: CUDAError.self) {
                    try layer.enqueue(
                        tokenCount: tokenCount, input: input ?? values.0, rows: rows ?? values.1, output: values.0,
                        workspace: workspace ?? values.2, on: stream)
                }
                #expect(error?.code == .invalidArgument)
                #expect(error?.message.contains(words) == true, "\(String(describing: error))")
            }
            let usual = (input, rows, workspace)
            refused("17 tokens, expected 0 to 16", tokenCount: 17, default: usual)
            refused("-1 tokens", tokenCount: -1, default: usual)
            refused("input of 64 elements", input: try input.part(0..<64), default: usual)
            refused("multiple of 16", input: try input.part(1..<input.count), default: usual)
            refused("workspace of another configuration", workspace: foreign, default: usual)
            refused("1 lists of row blocks, expected 2", rows: try made(limits: [32]), default: usual)
            refused("of 9 rows in the first list, expected 1 to 8", rows: try made(limits: [9, 128]), default: usual)
            refused(
                "of 32 rows in the second list, expected 64 or 128", rows: try made(limits: [8, 32]), default: usual)
            refused("rows of up to 5 experts, expected 4", rows: try made(of: 4, limits: [8, 64]), default: usual)
            refused("rows of 2 tokens, expected 1", rows: try made(tokenCount: 2, limits: [8, 64]), default: usual)
            var device = try RoutedRows(
                loader.context, Route(.sigmoid, expertCount: 4, topK: 1, blockRowCounts: [16, 64]), tokenCount: 16)
            refused("of 16 rows in the first list", rows: device, default: usual)
            device = device.with(blockRowCounts: [8, 256])
            refused("of 256 rows in the second list", rows: device, default: usual)
            #expect(try fake.launches().allSatisfy { $0.kernel == "repack" })
        }

        @Test("with many tokens an expert rows are packed, multiplied and combined")
        func grouped() throws {
            var configuration = MoEConfiguration.gptOSS
            configuration.maximumTokenCount = 60
            // The fake's kernels have shared memory of their own, beside which the stages for MXFP4 do not fit.
            configuration.format = .nvfp4
            let layer = try layer(configuration)
            #expect(layer.resolution.backend(tokenCount: 4) == .latency)
            #expect(layer.resolution.backend(tokenCount: 5) == .throughput)
            let workspace = try MoEWorkspace(configuration, on: stream)
            let (input, output) = (try activations(layer), try activations(layer))
            let logits = try DeviceBuffer<UInt16>(loader.context, count: 60 * 4)
            let before = try fake.launches().count
            try layer.enqueue(
                tokenCount: 60, input: input, logits: logits, residual: input, output: output, workspace: workspace,
                on: stream)
            let launches = Array(try fake.launches()[before...])
            #expect(launches.map(\.kernel) == ["route", "pack", "multiply_experts", "combine_rows"])
            try #require(launches.count == 4)
            #expect(launches[3].overlapsPrevious && launches[2].grid == [4, 1, 1])
            // 120 rows of four experts: at most 4 + 120 / 64 blocks, and 120 + 5 * 8 slots.
            #expect(launches[1].grid[0] == 5)
            #expect(workspace.rows.blockLists.count == 2)
            let packing = launches[1].parameters[0].withUnsafeBytes { $0.loadUnaligned(as: MoEPack.Arguments.self) }
            #expect(packing.inputs == input.address && packing.tokenCount == 60 && packing.inputPitch == 128)
            let product = launches[2].parameters[0].withUnsafeBytes { $0.loadUnaligned(as: MoEGemm.Arguments.self) }
            let memory = try #require(workspace.grouped)
            #expect(product.inputs == packing.packed && product.hidden == memory.hidden.address)
            #expect(product.output == memory.rows.address && product.residual == 0 && product.tokenCount == 60)
            #expect(packing.slotCount == 160 && product.slotCount == 160)
            #expect(packing.routing.list == workspace.rows.blockLists[1].address)
            #expect(product.routing.list == workspace.rows.blockLists[1].address)
            #expect(product.upBiases == layer.weights.upBiases.address && product.limit == 7)
            let sum = launches[3].parameters[0].withUnsafeBytes { $0.loadUnaligned(as: MoECombine.Arguments.self) }
            #expect(sum.rows == memory.rows.address && sum.tokenRows == workspace.rows.slotRows.address)
            #expect(sum.residual == input.address && sum.output == output.address && sum.tokenCount == 60)
        }

        @Test("with more than 48 rows an expert tokens are packed once, and gathered by the product")
        func gathered() throws {
            var configuration = MoEConfiguration.gptOSS
            configuration.maximumTokenCount = 100
            configuration.format = .nvfp4
            configuration.hasSharedExpert = true
            let layer = try layer(configuration)
            let workspace = try MoEWorkspace(configuration, on: stream)
            let (input, output) = (try activations(layer), try activations(layer))
            let rows = try rows([[Int]](repeating: [0, 3], count: 100), layer)
            let before = try fake.launches().count
            try layer.enqueue(
                tokenCount: 100, input: input, rows: rows, output: output, workspace: workspace, on: stream)
            let launches = Array(try fake.launches()[before...])
            #expect(
                launches.map(\.kernel) == ["pack", "multiply_experts", "multiply_experts", "combine_rows"])
            try #require(launches.count == 4)
            // Eight tokens a block of threads. Only what follows the packing may begin before the launch ahead has ended.
            #expect(launches[0].grid[0] == 13)
            #expect(launches[1].overlapsPrevious && !launches[2].overlapsPrevious)
            let products = [1, 2].map { index in
                launches[index].parameters[0].withUnsafeBytes { $0.loadUnaligned(as: MoEGemm.Arguments.self) }
            }
            #expect(products.map(\.tokenCount) == [100, 100] && products[0].inputs == products[1].inputs)
            #expect(products[0].routing.list == 0 && products[0].tokenExpert == 4)
            #expect(products[1].routing.list == rows.blockLists[1].address)
            #expect(products[0].output == output.address && products[1].output == workspace.grouped?.rows.address)
        }

        @Test("where every token has one row the product writes the output, on top of the shared expert's")
        func groupedOneRow() throws {
            var configuration = MoEConfiguration.llama4
            configuration.backend = .throughput
            let layer = try layer(configuration)
            let workspace = try MoEWorkspace(configuration, on: stream)
            let (input, output) = (try activations(layer), try activations(layer))
            let before = try fake.launches().count
            try layer.enqueue(
                tokenCount: 2, input: input, rows: rows([[0], [1]], layer), output: output, workspace: workspace,
                on: stream)
            let launches = Array(try fake.launches()[before...])
            // Each product begins while its rows are packed.
            #expect(launches.map(\.kernel) == ["pack", "multiply_experts", "pack", "multiply_experts"])
            #expect(launches.map(\.overlapsPrevious) == [true, true, true, true])
            let products = [1, 3].map { index in
                launches[index].parameters[0].withUnsafeBytes { $0.loadUnaligned(as: MoEGemm.Arguments.self) }
            }
            #expect(products.map(\.residual) == [0, output.address])
            #expect(products.map(\.output) == [output.address, output.address])
            #expect(products.map(\.routing.list).map { $0 == 0 } == [true, false])
            #expect(products[0].tokenExpert == 4)
        }

        @Test(
            "tokens without an expert get the residual or zeros before the experts run", arguments: MoEBackend.allCases)
        func tokensWithoutExperts(_ backend: MoEBackend) throws {
            var configuration = MoEConfiguration.llama4
            configuration.backend = backend
            configuration.hasSharedExpert = false
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

        @Test("the choice of kernels is told for all numbers of tokens, with the reasons")
        func resolution() throws {
            var configuration = MoEConfiguration.llama4
            configuration.maximumTokenCount = 100
            let layer = try layer(configuration)
            let choices = layer.resolution.choices
            #expect(choices.map(\.tokenCounts) == [1...1, 2...2, 3...4, 5...8, 9...100])
            #expect(choices.map(\.backend) == [.latency, .latency, .latency, .latency, .throughput])
            let text = "\(layer.resolution)"
            #expect(text.contains("5 to 8 tokens: latency, stream"))
            #expect(text.contains("9 to 100 tokens: throughput, grouped product, blocks of 64 rows"))
            #expect(text.contains("1 to 8 tokens: not throughput, slower for up to 2 rows an expert"))
            #expect(text.contains("9 to 100 tokens: not latency, slower for more than 2 rows an expert"))
        }

        @Test("a layer that no kernel computes is refused with the reasons")
        func noKernel() throws {
            var many = MoEConfiguration.llama4
            many.maximumTokenCount = 129
            many.backend = .latency
            refused("129 to 129 tokens") { _ = try layer(many) }
            refused("takes at most 128 tokens") { _ = try layer(many) }
            refused("129 tokens: not throughput, another backend was asked for") { _ = try layer(many) }
            try fake.setDevices(1, 8, 9)
            let old = KernelLoader(try fake.context(), sources: Self.sources, cache: loader.cache)
            let oldStream = try Stream(old.context)
            let weights = try MoEWeights(
                .llama4, experts: MoEConfiguration.llama4.experts(), loader: old, on: oldStream)
            refused("the streaming kernel needs sm_90 or newer") {
                _ = try MoELayer(.llama4, weights: weights, loader: old, on: oldStream)
            }
            refused("the grouped product needs sm_90a") { _ = try MoEWorkspace(.llama4, on: oldStream) }
        }

        @Test("sizes that no kernel has are refused by name")
        func sizes() throws {
            func refusedSize(_ words: String, _ change: (inout MoEConfiguration) -> Void) {
                var configuration = MoEConfiguration.llama4
                change(&configuration)
                refused(words) { _ = try MoEWeights.byteCount(for: configuration) }
            }
            refusedSize("hidden size 0") { $0.hiddenSize = 0 }
            refusedSize("hidden size 72, expected a multiple of 16") { $0.hiddenSize = 72 }
            refusedSize("intermediate size 65552") { $0.intermediateSize = 65552 }
            refusedSize("number of experts 513") { $0.expertCount = 513 }
            refusedSize("top-k 5, expected 1 to 4") {
                $0.topK = 5
            }
            refusedSize("tokens 0") { $0.maximumTokenCount = 0 }
        }

        @Test("out of memory leaves what there is usable")
        func outOfMemory() throws {
            let layer = try layer(.llama4)
            let workspace = try MoEWorkspace(layer.configuration, on: stream)
            let (input, rows) = (try activations(layer), try rows([[0]], layer))
            var large = MoEConfiguration.llama4
            large.expertCount = 512
            try fake.setDevices(1, memoryByteCount: 8 << 20)
            let live = try fake.liveCount()
            let error = #expect(throws: CUDAError.self) {
                try MoEWeights(large, experts: large.experts(), loader: loader, on: stream)
            }
            #expect(error?.code == .outOfMemory)
            #expect(try fake.liveCount() == live)
            try layer.enqueue(
                tokenCount: 1, input: input, rows: rows, output: input, workspace: workspace, on: stream)
            try stream.synchronize()
            #expect(try fake.misuse() == nil)
        }

        @Test("a call that fails is an error that names it, and nothing leaks")
        func eachCall() throws {
            func scenario() throws {
                let context = try fake.context()
                let cache = KernelCache(compiler: try fake.compiler(), folder: nil)
                let loader = KernelLoader(context, sources: Self.sources, cache: cache)
                let stream = try Stream(context)
                var configuration = MoEConfiguration.gptOSS
                configuration.maximumTokenCount = 1
                let weights = try MoEWeights(
                    configuration, experts: configuration.experts(), loader: loader, on: stream)
                let layer = try MoELayer(configuration, weights: weights, loader: loader, on: stream)
                let workspace = try MoEWorkspace(configuration, on: stream)
                let activations = try activations(layer, context)
                try layer.enqueue(
                    tokenCount: 1, input: activations,
                    rows: RoutedRows(
                        HostRoutedRows(
                            [[.init(expert: 0, weight: 1)]], topK: 2, blockRowCounts: MoELayer.blockRowCounts),
                        on: stream),
                    output: activations, workspace: workspace, on: stream)
                try stream.synchronize()
            }
            _ = try FakeCUDA()
            try scenario()
            let calls = try fake.calls()
            for number in 1...calls.count {
                _ = try FakeCUDA()
                try fake.failCall(number, code: 999)
                let isRelease = ["Free", "Release", "Destroy", "Unload"].contains { calls[number - 1].contains($0) }
                do {
                    try scenario()
                    #expect(isRelease || calls[number - 1] == "cuCtxSetCurrent", "call \(number), \(calls[number - 1])")
                } catch let error as CUDAError {
                    #expect(error.call == calls[number - 1])
                }
                #expect(try fake.liveCount() == 0, "call \(number), \(calls[number - 1])")
                #expect(try fake.misuse() == nil, "call \(number), \(calls[number - 1])")
            }
        }

        private func layer(_ configuration: MoEConfiguration) throws -> MoELayer {
            let weights = try MoEWeights(
                configuration, experts: configuration.experts(), loader: loader, on: stream)
            return try MoELayer(configuration, weights: weights, loader: loader, on: stream)
        }

        private func activations(_ layer: MoELayer, _ context: Context? = nil) throws -> DeviceBuffer<UInt16> {
            let configuration = layer.configuration
            return try DeviceBuffer(
                context ?? loader.context, count: configuration.maximumTokenCount * configuration.rowPitch)
        }

        private func rows(_ experts: [[Int]], _ layer: MoELayer) throws -> RoutedRows {
            let choices = experts.map { $0.map { HostRoutedRows.Choice(expert: $0, weight: 0.5) } }
            return try RoutedRows(
                HostRoutedRows(choices, topK: layer.configuration.topK, blockRowCounts: MoELayer.blockRowCounts),
                on: stream)
        }

        private func refused(_ words: String, _ body: () throws -> Void) {
            let error = #expect(throws: CUDAError.self, performing: body)
            #expect(error?.code == .unsupported)
            #expect(error?.message.contains(words) == true, "\(String(describing: error))")
        }
    }
}

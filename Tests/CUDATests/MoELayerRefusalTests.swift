import CUDA
import Kernels
import Testing

@testable import CUDAKernels

extension FakeDriverTests {
    @Suite("MoE layer: what is refused")
    struct MoELayerRefusalTests: LayerTests {
        let gpu: FakeGPU

        init() throws { gpu = try FakeGPU() }

        @Test("the choice of kernels is told for all numbers of tokens, with the reasons")
        func resolution() throws {
            var configuration = MoEConfiguration.llama4
            configuration.maximumTokenCount = 100
            let layer = try layer(configuration)
            let choices = layer.resolution.choices
            #expect(choices.map(\.tokenCounts) == [1...1, 2...2, 3...4, 5...8, 9...12, 13...100])
            #expect(choices.map(\.backend) == [.latency, .latency, .latency, .latency, .latency, .throughput])
            let text = "\(layer.resolution)"
            #expect(text.contains("1 token: latency, stream"))
            #expect(text.contains("5 to 8 tokens: latency, stream"))
            #expect(text.contains("13 to 100 tokens: throughput, grouped product, blocks of 64 rows"))
            #expect(text.contains("1 to 12 tokens: not throughput, slower for up to 12 rows"))
            #expect(text.contains("13 to 100 tokens: not latency, slower for more than 12 rows"))
        }

        @Test("faster memory leaves more rows to the streaming kernel")
        func memoryBandwidth() throws {
            let configuration = MoEConfiguration(
                hiddenSize: 128, intermediateSize: 192, expertCount: 128,
                routing: Routing(topK: 8, score: .softmax(renormalized: true), weightPlacement: .output),
                activation: .swiglu, format: .nvfp4, maximumTokenCount: 64)
            func lastStreamed(clockRate: Int, busWidth: Int) throws -> Int {
                try fake.setMemory(clockRate: clockRate, busWidth: busWidth)
                let device = try #require(try fake.driver().devices().first)
                return try MoEResolution(configuration, on: device).lastTokenCount(of: .latency)
            }
            #expect(try lastStreamed(clockRate: 2_619_000, busWidth: 5120) == 24)  // H100
            #expect(try lastStreamed(clockRate: 3_201_000, busWidth: 6144) == 32)  // H200
        }

        @Test("what does not fit is refused before anything is queued")
        func refusals() throws {
            let layer = try layer(.llama4)
            let workspace = try MoEWorkspace(layer.configuration, on: stream)
            let (input, rows) = (try activations(layer), try rows([[0]], layer))
            var larger = layer.configuration
            larger.maximumTokenCount = 17
            let foreign = try MoEWorkspace(larger, on: stream)
            func made(of expert: Int = 0, tokenCount: Int = 1, topK: Int = 1, limits: [Int]) throws -> RoutedRows {
                let choices = [[HostRoutedRows.Choice]](
                    repeating: [.init(expert: expert, weight: 1)], count: tokenCount)
                return try RoutedRows(HostRoutedRows(choices, topK: topK, blockRowCounts: limits), on: stream)
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
            refused("rows of up to 5 experts, expected 4", rows: try made(of: 4, limits: [8, 64]), default: usual)
            refused("rows of 2 tokens, expected 1", rows: try made(tokenCount: 2, limits: [8, 64]), default: usual)
            refused("rows of top-2, expected top-1", rows: try made(topK: 2, limits: [8, 64]), default: usual)
            let device = try RoutedRows(
                loader.context, Route(.sigmoid, expertCount: 4, topK: 1, blockRowCounts: [16, 64]), tokenCount: 16)
            refused("of 16 rows in the first list", rows: device, default: usual)
            #expect(try fake.launches().allSatisfy { $0.kernel == "repack" })
        }

        @Test("blocks of rows that the grouped product has no kernel for are refused where it reads them")
        func blockSizes() throws {
            var configuration = MoEConfiguration.llama4
            for backend in [MoEBackend.throughput, .latency] {
                configuration.backend = backend
                let layer = try layer(configuration)
                let workspace = try MoEWorkspace(configuration, on: stream)
                let input = try activations(layer)
                for (rowCount, isKnown) in [(64, true), (32, false), (144, false)] {
                    let rows = try RoutedRows(
                        HostRoutedRows([[.init(expert: 0, weight: 1)]], topK: 1, blockRowCounts: [8, rowCount]),
                        on: stream)
                    func enqueue() throws {
                        try layer.enqueue(
                            tokenCount: 1, input: input, rows: rows, output: input, workspace: workspace, on: stream)
                    }
                    if isKnown || backend == .latency {
                        try enqueue()
                    } else {
                        let words = "of \(rowCount) rows in the second list, expected one of [64]"
                        refused(words, code: .invalidArgument, enqueue)
                    }
                }
            }
        }

        @Test("a layer that no kernel computes is refused with the reasons")
        func noKernel() throws {
            var many = MoEConfiguration.llama4
            many.maximumTokenCount = 129
            many.backend = .latency
            refused("129 to 129 tokens", code: .unsupported) { _ = try layer(many) }
            refused("takes at most 128 tokens", code: .unsupported) { _ = try layer(many) }
            refused("129 tokens: not throughput, another backend was asked for", code: .unsupported) {
                _ = try layer(many)
            }
            try fake.setDevices(1, 8, 9)
            let old = KernelLoader(try fake.context(), sources: FakeGPU.sources, cache: loader.cache)
            let oldStream = try Stream(old.context)
            let weights = try MoEWeights(
                .llama4, experts: MoEConfiguration.llama4.experts(), loader: old, on: oldStream)
            refused("the streaming kernel needs sm_90 or newer", code: .unsupported) {
                _ = try MoELayer(.llama4, weights: weights, loader: old, on: oldStream)
            }
            refused("the grouped product needs sm_90a", code: .unsupported) {
                _ = try MoEWorkspace(.llama4, on: oldStream)
            }
        }

        @Test("sizes that no kernel has are refused by name")
        func sizes() throws {
            func refusedSize(_ words: String, _ change: (inout MoEConfiguration) -> Void) {
                var configuration = MoEConfiguration.llama4
                change(&configuration)
                refused(words, code: .unsupported) { _ = try MoEWeights.byteCount(for: configuration) }
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
    }
}

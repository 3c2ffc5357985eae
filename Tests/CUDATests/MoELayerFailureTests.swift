import CUDA
import Kernels
import Testing

@testable import CUDAKernels

extension FakeDriverTests {
    @Suite("MoE layer: what fails")
    struct MoELayerFailureTests: LayerTests {
        let gpu: FakeGPU

        init() throws { gpu = try FakeGPU() }

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
                // Blackwell has one kernel for one token, so that the order of the compiler's calls is always the same.
                try fake.setDevices(1, 10, 0)
                let context = try fake.context()
                let cache = KernelCache(compiler: try fake.compiler(), folder: nil)
                let loader = KernelLoader(context, sources: FakeGPU.sources, cache: cache)
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
    }
}

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
            for number in 1...(try fake.calls().count) {
                _ = try FakeCUDA()
                try fake.failCall(number, code: 999)
                var failure: CUDAError?
                do { try scenario() } catch let error as CUDAError { failure = error }
                // Programs are compiled at the same time, so which call has the number differs from run to run.
                let calls = try fake.calls()
                try #require(calls.count >= number)
                let call = calls[number - 1]
                if let failure {
                    #expect(failure.call == call, "call \(number)")
                } else {
                    let isRelease = ["Free", "Release", "Destroy", "Unload"].contains { call.contains($0) }
                    #expect(isRelease || call == "cuCtxSetCurrent", "call \(number), \(call)")
                }
                #expect(try fake.liveCount() == 0, "call \(number), \(call)")
                #expect(try fake.misuse() == nil, "call \(number), \(call)")
            }
        }
    }
}

import CUDA
import Kernels
import Testing

@testable import CUDAKernels

extension FakeDriverTests {
    @Suite("MoE workspaces")
    struct MoEWorkspaceTests: LayerTests {
        let gpu: FakeGPU

        init() throws { gpu = try FakeGPU() }

        @Test(
            "takes as much memory as it says", arguments: MoEBackend.allCases, [ActivationPrecision.full, .nvfp4])
        func byteCount(_ backend: MoEBackend, _ precision: ActivationPrecision) throws {
            for topK in [1, 2] {
                var configuration = MoEConfiguration.llama4
                configuration.topK = topK
                configuration.backend = backend
                configuration.activationPrecision = precision
                let free = try loader.context.freeByteCount()
                let workspace = try MoEWorkspace(configuration, on: stream)
                let taken = free - (try loader.context.freeByteCount())
                let device = loader.context.device
                let stated =
                    try MoEWorkspace.byteCount(for: configuration, on: device) + StreamWorkspace.byteCount(on: device)
                #expect(taken == stated)
                withExtendedLifetime(workspace) {}
            }
        }

        @Test("W4A4 has no rows packed, nor sums left, for the kernels of both products")
        func quantized() throws {
            var configuration = MoEConfiguration.llama4
            configuration.backend = .throughput
            let full = try #require(try MoEWorkspace(configuration, on: stream).grouped)
            #expect(full.inputs.count > 0 && full.hidden.count > 0 && full.counters.count > 0)
            configuration.activationPrecision = .nvfp4
            let workspace = try MoEWorkspace(configuration, on: stream)
            let quantized = try #require(workspace.grouped)
            #expect(quantized.inputs.count == 0 && quantized.partials.count == 0)
            #expect(quantized.hidden.count == full.hidden.count && quantized.counters.count == full.counters.count)
        }
    }
}

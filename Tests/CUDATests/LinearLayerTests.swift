import CUDA
import Kernels
import Testing

@testable import CUDAKernels

extension FakeDriverTests {
    @Suite("Linear layer")
    struct LinearLayerTests: LayerTests {
        let gpu: FakeGPU
        let layer: LinearLayer

        init() throws {
            gpu = try FakeGPU()
            // Any matrix will do: the gate of a layer, [192, 128].
            let matrix = try #require(MoEConfiguration.llama4.experts().first).gate
            let weights = try LinearWeights(matrix, loader: gpu.loader, on: gpu.stream)
            layer = try LinearLayer(weights, maximumTokenCount: 40, loader: gpu.loader, on: gpu.stream)
        }

        @Test("a launch carries the matrix, its scale and the list of so many tokens")
        func launch() throws {
            #expect(layer.inputPitch == 128 && layer.outputPitch == 192)
            let input = try DeviceBuffer<UInt16>(loader.context, count: 40 * 128)
            let output = try DeviceBuffer<UInt16>(loader.context, count: 40 * 192)
            let workspace = try LinearWorkspace(for: [layer], on: stream)
            let graph = try stream.capture {
                for tokenCount in [0, 1, 9, 16] {
                    try layer.enqueue(
                        tokenCount: tokenCount, input: input, residual: output, output: output, workspace: workspace,
                        on: stream)
                }
            }
            #expect(graph.nodeCount == 3)
            let arguments = try fake.launches().suffix(3).map { launch in
                parameter(of: launch, as: MoEStream.Arguments.self)
            }
            #expect(arguments.map(\.tokenCount) == [1, 9, 16])
            for arguments in arguments {
                #expect(arguments.up.weights == 0 && arguments.routing.rowTokens == 0)
                #expect(arguments.down.weights == layer.weights.slabs.address && arguments.down.inputs == input.address)
                #expect(arguments.output == output.address && arguments.residual == output.address)
                #expect(arguments.downScales == layer.weights.scale.address && arguments.routingIsEarly == 1)
            }
            // Lists of eight words: no number of tokens has two blocks.
            #expect(arguments[1].routing.list - arguments[0].routing.list == 8 * 8 * 4)
            #expect(arguments[2].routing.list - arguments[1].routing.list == 7 * 8 * 4)
        }

        @Test("more tokens are packed and take the grouped product")
        func grouped() throws {
            let input = try DeviceBuffer<UInt16>(loader.context, count: 40 * 128)
            let output = try DeviceBuffer<UInt16>(loader.context, count: 40 * 192)
            let workspace = try LinearWorkspace(for: [layer], on: stream)
            let before = try fake.launches().count
            let graph = try stream.capture {
                for tokenCount in [17, 40] {
                    try layer.enqueue(
                        tokenCount: tokenCount, input: input, residual: output, output: output, workspace: workspace,
                        on: stream)
                }
            }
            #expect(graph.nodeCount == 4)
            let launches = Array(try fake.launches()[before...])
            #expect(launches.map(\.kernel) == ["pack", "multiply_experts", "pack", "multiply_experts"])
            try #require(launches.count == 4)
            // Eight tokens a block of threads, and one of eight slabs.
            #expect(launches.map(\.grid) == [[3, 1, 1], [4, 1, 1], [5, 1, 1], [4, 1, 1]])
            let packing = parameter(of: launches[2], as: MoEPack.Arguments.self)
            #expect(packing.inputs == input.address && packing.inputPitch == 128 && packing.tokenCount == 40)
            let product = parameter(of: launches[3], as: MoEGemm.Arguments.self)
            #expect(product.inputs == packing.packed && product.tokenCount == 40 && product.tokenExpert == 0)
            #expect(product.routing.list == 0 && product.routing.rowTokens == 0 && product.upWeights == 0)
            #expect(product.downWeights == layer.weights.slabs.address)
            #expect(product.downScales == layer.weights.scale.address)
            #expect(product.output == output.address && product.residual == output.address)
            #expect(product.partials == workspace.grouped?.partials.address)
            #expect(product.counters == workspace.grouped?.counters.address)
        }

        @Test("a workspace that was made for fewer tokens is refused")
        func smallWorkspace() throws {
            let small = try LinearLayer(layer.weights, maximumTokenCount: 20, loader: loader, on: stream)
            let few = try LinearLayer(layer.weights, maximumTokenCount: 16, loader: loader, on: stream)
            let input = try DeviceBuffer<UInt16>(loader.context, count: 17 * 128)
            let output = try DeviceBuffer<UInt16>(loader.context, count: 17 * 192)
            for layers in [[small], [few], []] {
                let workspace = try LinearWorkspace(for: layers, on: stream)
                let error = #expect(throws: CUDAError.self) {
                    try layer.enqueue(
                        tokenCount: 17, input: input, output: output, workspace: workspace, on: stream)
                }
                #expect(error?.code == .invalidArgument)
                #expect(error?.message.contains("a workspace for other layers or fewer tokens") == true)
            }
            #expect(try fake.launches().allSatisfy { $0.kernel == "repack" })
        }

        @Test("FP8 weights have one scale, or one for each row")
        func float8() throws {
            func weights(_ scales: [Float]) throws -> LinearWeights {
                let matrix = try #require(MoEConfiguration.llama4.experts().first).gate
                return try LinearWeights(
                    WeightMatrix(
                        name: "fp8", rowCount: 48, columnCount: 64, elements: matrix.elements,
                        encoding: .float8(scales: scales), onDiscard: { _ = matrix }), loader: loader, on: stream)
            }
            let input = try DeviceBuffer<UInt16>(loader.context, count: 64)
            for scales in [[0.25], [Float](repeating: 0.5, count: 48)] {
                let layer = try LinearLayer(try weights(scales), maximumTokenCount: 1, loader: loader, on: stream)
                let workspace = try LinearWorkspace(for: [layer], on: stream)
                try layer.enqueue(tokenCount: 1, input: input, output: input, workspace: workspace, on: stream)
                let launch = try #require(try fake.launches().last)
                let arguments = parameter(of: launch, as: MoEStream.Arguments.self)
                #expect(arguments.rowScales == (scales.count == 1 ? 0 : layer.weights.rowScales.address))
                #expect(layer.weights.globalScale == (scales.count == 1 ? 0.25 : 1))
            }
            let error = #expect(throws: CUDAError.self) { try weights([1, 2]) }
            #expect(error?.message.contains("2 scales, expected 1 or 48") == true)
        }

        @Test("what does not fit is refused before anything is queued")
        func refusals() throws {
            let input = try DeviceBuffer<UInt16>(loader.context, count: 2 * 128)
            let output = try DeviceBuffer<UInt16>(loader.context, count: 2 * 192)
            let workspace = try LinearWorkspace(for: [layer], on: stream)
            for tokenCount in [-1, 3, 41] {
                let error = #expect(throws: CUDAError.self) {
                    try layer.enqueue(
                        tokenCount: tokenCount, input: input, output: output, workspace: workspace, on: stream)
                }
                #expect(error?.code == .invalidArgument)
            }
            let error = #expect(throws: CUDAError.self) {
                try LinearLayer(layer.weights, maximumTokenCount: 65281, loader: loader, on: stream)
            }
            #expect(error?.message.contains("expected 1 to 65280") == true)
            #expect(try fake.launches().allSatisfy { $0.kernel == "repack" })
        }
    }
}

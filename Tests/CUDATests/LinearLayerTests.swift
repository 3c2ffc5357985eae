import CUDA
import Kernels
import Testing

@testable import CUDAKernels

extension FakeDriverTests {
    @Suite("Linear layer")
    struct LinearLayerTests {
        let fake: FakeCUDA
        let loader: KernelLoader
        let stream: Stream
        let layer: LinearLayer

        init() throws {
            fake = try FakeCUDA()
            // The fake reads no more than the kernels' declarations, which the host appends.
            let sources = KernelSources(files: [MoEStream.path: "", RepackWeights.path: ""])
            let cache = KernelCache(compiler: try fake.compiler(), folder: nil)
            loader = KernelLoader(try fake.context(), sources: sources, cache: cache)
            stream = try Stream(loader.context)
            // Any matrix will do: the gate of a layer, [192, 128].
            let matrix = try #require(MoEConfiguration.llama4.experts().first).gate
            let weights = try LinearWeights(matrix, loader: loader, on: stream)
            layer = try LinearLayer(weights, maximumTokenCount: 40, loader: loader, on: stream)
        }

        @Test("a launch carries the matrix, its scale and the list of so many tokens")
        func launch() throws {
            #expect(layer.inputPitch == 128 && layer.outputPitch == 192)
            let input = try DeviceBuffer<UInt16>(loader.context, count: 40 * 128)
            let output = try DeviceBuffer<UInt16>(loader.context, count: 40 * 192)
            let workspace = try StreamWorkspace(on: stream)
            let graph = try stream.capture {
                for tokenCount in [0, 1, 33, 40] {
                    try layer.enqueue(
                        tokenCount: tokenCount, input: input, residual: output, output: output, workspace: workspace,
                        on: stream)
                }
            }
            #expect(graph.nodeCount == 3)
            let arguments = try fake.launches().suffix(3).map { launch in
                launch.parameters[0].withUnsafeBytes { $0.loadUnaligned(as: MoEStream.Arguments.self) }
            }
            #expect(arguments.map(\.tokenCount) == [1, 33, 40])
            for arguments in arguments {
                #expect(arguments.up.weights == 0 && arguments.routing.rowTokens == 0)
                #expect(arguments.down.weights == layer.weights.slabs.address && arguments.down.inputs == input.address)
                #expect(arguments.output == output.address && arguments.residual == output.address)
                #expect(arguments.downScales == layer.weights.scale.address && arguments.routingIsEarly == 1)
            }
            // Lists of 12 words, those of 33 and 40 tokens with two blocks.
            #expect(arguments[1].routing.list - arguments[0].routing.list == 32 * 12 * 4)
            #expect(arguments[2].routing.list - arguments[1].routing.list == 7 * 12 * 4)
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
            let workspace = try StreamWorkspace(on: stream)
            for scales in [[0.25], [Float](repeating: 0.5, count: 48)] {
                let layer = try LinearLayer(try weights(scales), maximumTokenCount: 1, loader: loader, on: stream)
                try layer.enqueue(tokenCount: 1, input: input, output: input, workspace: workspace, on: stream)
                let launch = try #require(try fake.launches().last)
                let arguments = launch.parameters[0].withUnsafeBytes {
                    $0.loadUnaligned(as: MoEStream.Arguments.self)
                }
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
            let workspace = try StreamWorkspace(on: stream)
            for tokenCount in [-1, 3, 41] {
                let error = #expect(throws: CUDAError.self) {
                    try layer.enqueue(
                        tokenCount: tokenCount, input: input, output: output, workspace: workspace, on: stream)
                }
                #expect(error?.code == .invalidArgument)
            }
            let error = #expect(throws: CUDAError.self) {
                try LinearLayer(layer.weights, maximumTokenCount: 129, loader: loader, on: stream)
            }
            #expect(error?.message.contains("expected 1 to 128") == true)
            #expect(try fake.launches().allSatisfy { $0.kernel == "repack" })
        }
    }
}

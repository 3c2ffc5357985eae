import CUDA
import Kernels
import Testing

@testable import CUDAKernels

extension FakeDriverTests {
    @Suite("Layers with NVFP4 activations")
    struct QuantizedActivationsTests: LayerTests {
        let gpu: FakeGPU

        init() throws { gpu = try FakeGPU() }

        private static let names = ["quantize_rows_of_experts", "stream_experts"]

        @Test("rows are rounded before either product, of the shared expert and of the others")
        func streamed() throws {
            var configuration = MoEConfiguration.llama4
            configuration.activationPrecision = .nvfp4
            let layer = try layer(configuration, encodeScale: 4)
            let workspace = try MoEWorkspace(configuration, on: stream)
            let launches = try enqueue(layer, workspace, tokenCount: 5)
            #expect(launches.map(\.kernel) == ["route"] + Self.names + Self.names + Self.names + Self.names)
            try #require(launches.count == 9)
            let rounding = [1, 3, 5, 7].map { parameter(of: launches[$0], as: QuantizeRows.Arguments.self) }
            let products = [2, 4, 6, 8].map { parameter(of: launches[$0], as: MoEStream.Arguments.self) }
            let memory = try #require(workspace.quantized)
            // The shared expert's rows have no weights; the others' weights multiply the input.
            #expect(rounding.map(\.inputWeights) == [0, 0, workspace.rows.rowWeights.address, 0])
            #expect(rounding.map(\.sumWeights) == [0, 0, 0, 0])
            #expect(rounding.map(\.factors) == [UInt64](repeating: memory.factors.address, count: 4))
            #expect(rounding[2].sources == workspace.rows.rowTokens.address)
            #expect(rounding[0].output == memory.rows.address && rounding[2].output == rounding[0].output)
            #expect(rounding[1].input == workspace.streamed?.hidden.address && rounding[1].output == rounding[1].input)
            // The rounded rows are in order, and what is left of their scales multiplies sums.
            #expect(products.map(\.routing.rowWeights) == [UInt64](repeating: memory.factors.address, count: 4))
            #expect(products.map(\.routing.rowTokens) == [0, 0, 0, workspace.rows.rowTokens.address])
            #expect(products.map(\.weightsRowsOnInput) == [1, 0, 1, 0])
            #expect(products[0].up.inputs == memory.rows.address && products[0].hidden == rounding[1].input)
            #expect(products.map(\.residual) == [0, products[1].residual, 0, products[1].output])
        }

        @Test("with many tokens rows are packed as they are rounded")
        func grouped() throws {
            var configuration = MoEConfiguration.llama4
            configuration.sharedExpertCount = 0
            configuration.topK = 2
            configuration.weightPlacement = .output
            configuration.activationPrecision = .nvfp4
            configuration.backend = .throughput
            let layer = try layer(configuration, encodeScale: nil)
            let workspace = try MoEWorkspace(configuration, on: stream)
            let launches = try enqueue(layer, workspace, tokenCount: 16)
            let names = ["quantize_rows_of_experts", "multiply_experts"]
            #expect(launches.map(\.kernel) == ["route"] + names + names + ["combine_rows"])
            try #require(launches.count == 6)
            let rounding = [1, 3].map { parameter(of: launches[$0], as: QuantizeRows.Arguments.self) }
            let products = [2, 4].map { parameter(of: launches[$0], as: MoEGemm.Arguments.self) }
            let memory = try #require(workspace.grouped)
            let rows = try #require(workspace.quantized).rows.address
            #expect(rounding.map(\.output) == [rows, rows] && products.map(\.inputs) == [rows, rows])
            #expect(products[0].hidden == memory.hidden.address && rounding[1].input == memory.hidden.address)
            #expect(rounding.map(\.sumWeights) == [0, workspace.rows.rowWeights.address])
            // Rows of experts in order; the second product's too, since a token has two.
            #expect(rounding.map(\.outputPitch) == [32, 32] && products.map(\.tokenCount) == [32, 32])
            #expect(rounding[1].inputPitch == products[0].slotCount && rounding[1].targets == 0)
            #expect(products.map(\.weightsRowsOnInput) == [1, 0] && products.map(\.residual) == [0, 0])
            #expect(products[1].output == memory.rows.address && products[1].routing.rowTokens != 0)
            #expect(try fake.misuse() == nil)
        }

        @Test("what cannot be rounded is refused with the reason")
        func refusals() throws {
            var mxfp4 = MoEConfiguration.gptOSS
            mxfp4.activationPrecision = .nvfp4
            refused("NVFP4 activations need NVFP4 weights, not those in mxfp4", code: .unsupported) {
                _ = try MoEWeights.byteCount(for: mxfp4)
            }
            var configuration = MoEConfiguration.llama4
            configuration.activationPrecision = .nvfp4
            refused("up: an input scale that differs from that of gate", code: .unsupported) {
                _ = try layer(configuration, encodeScale: 4, encodeScaleOfUp: 5)
            }
            refused("an input encode scale of -1.0", code: .unsupported) {
                _ = try layer(configuration, encodeScale: -1)
            }
            configuration.hasBiases = true
            refused("with biases need the input scales", code: .unsupported) {
                _ = try layer(configuration, encodeScale: nil)
            }
            _ = try layer(configuration, encodeScale: 4)
        }

        @Test("activations of 8 bits are refused: no kernel has them")
        func int8() throws {
            var configuration = MoEConfiguration.llama4
            configuration.activationPrecision = .int8
            refused("MoE layer: int8 activations are for CPUs, expected full or nvfp4", code: .unsupported) {
                _ = try MoEWeights.byteCount(for: configuration)
            }
            let matrix = try #require(MoEConfiguration.llama4.experts(encodeScale: 8).first).gate
            let weights = try LinearWeights(matrix, loader: loader, on: stream)
            refused("linear layer: int8 activations are for CPUs", code: .unsupported) {
                _ = try LinearLayer(
                    weights, maximumTokenCount: 3, activationPrecision: .int8, loader: loader, on: stream)
            }
        }

        @Test("a linear layer rounds its input into memory of its own")
        func linear() throws {
            let matrix = try #require(MoEConfiguration.llama4.experts(encodeScale: 8).first).gate
            let weights = try LinearWeights(matrix, loader: loader, on: stream)
            let layer = try LinearLayer(
                weights, maximumTokenCount: 3, activationPrecision: .nvfp4, loader: loader, on: stream)
            let input = try DeviceBuffer<UInt16>(loader.context, count: 3 * 128)
            let output = try DeviceBuffer<UInt16>(loader.context, count: 3 * 192)
            let workspace = try LinearWorkspace(for: [layer], on: stream)
            let before = try fake.launches().count
            try layer.enqueue(tokenCount: 3, input: input, output: output, workspace: workspace, on: stream)
            let launches = Array(try fake.launches()[before...])
            #expect(launches.map(\.kernel) == Self.names)
            try #require(launches.count == 2)
            let rounding = parameter(of: launches[0], as: QuantizeRows.Arguments.self)
            let product = parameter(of: launches[1], as: MoEStream.Arguments.self)
            #expect(rounding.input == input.address && rounding.list == 0 && rounding.rowCount == 3)
            #expect(product.down.inputs == rounding.output && product.routing.rowWeights == rounding.factors)
            #expect(product.downScales != weights.scale.address && product.routingIsEarly == 1)
        }

        private func enqueue(
            _ layer: MoELayer, _ workspace: MoEWorkspace, tokenCount: Int
        ) throws -> [FakeCUDA.Launch] {
            let count = layer.configuration.maximumTokenCount * layer.configuration.rowPitch
            let input = try DeviceBuffer<UInt16>(loader.context, count: count)
            let output = try DeviceBuffer<UInt16>(loader.context, count: count)
            let logits = try DeviceBuffer<UInt16>(loader.context, count: tokenCount * layer.configuration.expertCount)
            let before = try fake.launches().count
            try layer.enqueue(
                tokenCount: tokenCount, input: input, logits: logits, residual: input, output: output,
                workspace: workspace, on: stream)
            return Array(try fake.launches()[before...])
        }
    }
}

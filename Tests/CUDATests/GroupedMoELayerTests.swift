import CUDA
import Kernels
import Testing

@testable import CUDAKernels

extension FakeDriverTests {
    @Suite("MoE layer with many tokens")
    struct GroupedMoELayerTests: LayerTests {
        let gpu: FakeGPU

        init() throws { gpu = try FakeGPU() }

        @Test("with many tokens an expert rows are packed, multiplied and combined")
        func grouped() throws {
            var configuration = MoEConfiguration.gptOSS
            configuration.maximumTokenCount = 60
            // The fake's kernels have shared memory of their own, beside which the stages for MXFP4 do not fit.
            configuration.format = .nvfp4
            // More gate and up rows than blocks of few rows are gathered for.
            configuration.intermediateSize = 1056
            let layer = try layer(configuration)
            #expect(layer.resolution.backend(tokenCount: 6) == .latency)
            #expect(layer.resolution.backend(tokenCount: 7) == .throughput)
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
            #expect(launches[1].grid == [5, 1, 4])
            #expect(workspace.rows.blockLists.count == 2)
            let packing = parameter(of: launches[1], as: MoEPack.Arguments.self)
            #expect(packing.inputs == input.address && packing.tokenCount == 60 && packing.inputPitch == 128)
            let product = parameter(of: launches[2], as: MoEGemm.Arguments.self)
            let memory = try #require(workspace.grouped)
            #expect(product.inputs == packing.packed && product.hidden == memory.hidden.address)
            #expect(product.output == memory.rows.address && product.residual == 0 && product.tokenCount == 60)
            #expect(packing.slotCount == 160 && product.slotCount == 160)
            #expect(packing.routing.list == workspace.rows.blockLists[1].address)
            #expect(product.routing.list == workspace.rows.blockLists[1].address)
            #expect(product.upBiases == layer.weights.upBiases.address && product.limit == 7)
            let sum = parameter(of: launches[3], as: MoECombine.Arguments.self)
            #expect(sum.rows == memory.rows.address && sum.tokenRows == workspace.rows.slotRows.address)
            #expect(sum.residual == input.address && sum.output == output.address && sum.tokenCount == 60)
        }

        @Test(
            "kernels for more rows than a layer's tokens can take are neither compiled nor loaded",
            arguments: [
                (WeightFormat.nvfp4, 1, [64]), (.nvfp4, 224, [64]), (.nvfp4, 225, [64, 96]), (.nvfp4, 320, [64, 96]),
                (.nvfp4, 321, [64, 96, 144]), (.nvfp4, 600, [64, 96, 144]), (.bfloat16, 224, [64]),
                (.bfloat16, 225, [64, 144]),
            ])
        func blockSizes(format: WeightFormat, tokenCount: Int, rowCounts: [Int]) {
            var configuration = MoEConfiguration.llama4
            configuration.sharedExpertCount = 0
            configuration.format = format
            configuration.maximumTokenCount = tokenCount
            #expect(configuration.groupedRowCounts == rowCounts)
            #expect(GroupedExperts.gemms(for: configuration).map(\.rowCount).sorted() == rowCounts)
            #expect((1...tokenCount).allSatisfy { rowCounts.contains(configuration.groupedRowCount(tokenCount: $0)) })
            configuration.activationPrecision = .nvfp4
            let rounded = Set(QuantizedExperts.gemms(configuration).map(\.rowCount))
            #expect(rounded.sorted() == (rowCounts.count == 1 ? [64] : [64, 144]))
        }

        @Test("blocks, or two of them, have room for somewhat more rows than experts have on average")
        func blocksByMeanRows() throws {
            var configuration = MoEConfiguration.llama4
            configuration.sharedExpertCount = 0
            configuration.backend = .throughput
            configuration.maximumTokenCount = 800
            let resolution = try MoEResolution(configuration, on: loader.context.device)
            #expect(resolution.choices.map(\.tokenCounts) == [1...224, 225...320, 321...592, 593...720, 721...800])
            for (choice, rowCount) in zip(resolution.choices, [64, 96, 144, 96, 144]) {
                #expect(choice.kernel.contains("blocks of \(rowCount) rows"))
            }
        }

        @Test("more tokens need a product and a router more for each size of block")
        func compiledKernels() throws {
            var configuration = MoEConfiguration.llama4
            configuration.sharedExpertCount = 0
            configuration.backend = .throughput
            var counts: [Int] = []
            for tokenCount in [224, 225, 321] {
                configuration.maximumTokenCount = tokenCount
                let layer = try layer(configuration)
                #expect(layer.resolution.choices.count == counts.count + 1)
                counts.append(loader.cache.statistics.compiledCount)
            }
            // Routers with and without a cluster.
            #expect(counts[1] - counts[0] == 3 && counts[2] - counts[1] == 3)
        }

        @Test("for small experts tokens are packed once, and gathered by the product", arguments: [20, 60])
        func smallExperts(tokenCount: Int) throws {
            var configuration = MoEConfiguration.gptOSS
            configuration.maximumTokenCount = 60
            configuration.format = .nvfp4
            let layer = try layer(configuration)
            let workspace = try MoEWorkspace(configuration, on: stream)
            let (input, output) = (try activations(layer), try activations(layer))
            let rows = try rows([[Int]](repeating: [0, 3], count: tokenCount), layer)
            let before = try fake.launches().count
            try layer.enqueue(
                tokenCount: tokenCount, input: input, rows: rows, output: output, workspace: workspace, on: stream)
            let launches = Array(try fake.launches()[before...])
            #expect(launches.map(\.kernel) == ["pack", "multiply_experts", "combine_rows"])
            // Eight tokens a block of threads.
            #expect(launches[0].grid == [UInt32(tokenCount.dividedRoundingUp(by: 8)), 1, 1])
            let product = parameter(of: launches[1], as: MoEGemm.Arguments.self)
            #expect(product.tokenCount == tokenCount && product.routing.list == rows.blockLists[1].address)
        }

        @Test("with more than 56 rows an expert tokens are packed once, and gathered by the product")
        func gathered() throws {
            var configuration = MoEConfiguration.gptOSS
            configuration.maximumTokenCount = 100
            configuration.format = .nvfp4
            configuration.sharedExpertCount = 1
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
                parameter(of: launches[index], as: MoEGemm.Arguments.self)
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
                parameter(of: launches[index], as: MoEGemm.Arguments.self)
            }
            #expect(products.map(\.residual) == [0, output.address])
            #expect(products.map(\.output) == [output.address, output.address])
            #expect(products.map(\.routing.list).map { $0 == 0 } == [true, false])
            #expect(products[0].tokenExpert == 4)
        }
    }
}

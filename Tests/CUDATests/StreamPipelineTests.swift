import CUDA
import Kernels
import Testing

@testable import CUDAKernels

@Suite("Pipelines of the streaming kernel")
struct StreamPipelineTests {
    /// Shared memory of a block: of Hopper, of consumer GPUs, and what is left beside other users.
    private static let sharedByteCounts = [227 << 10, 99 << 10, 48 << 10]

    private static let hopper = MoEStream.Resources(
        architecture: Architecture(9, 0), sharedByteCount: 227 << 10, multiprocessorCount: 132)

    /// GPUs of some architectures, with each of these amounts of shared memory.
    private static func gpus(_ architectures: [Architecture]) -> [MoEStream.Resources] {
        architectures.flatMap { architecture in
            sharedByteCounts.map {
                MoEStream.Resources(architecture: architecture, sharedByteCount: $0, multiprocessorCount: 132)
            }
        }
    }

    /// Kernels for experts of many sizes, as they are loaded.
    private static func kernels(_ format: WeightFormat, _ intermediateSize: Int) throws -> [MoEStream] {
        let route = try Route(.softmax, expertCount: 32, topK: 4, blockRowCounts: [8])
        let activation: ExpertActivation = intermediateSize % 3 == 0 ? .reluSquared : .swiglu
        let shape = ExpertShape(format, hiddenSize: 2048, intermediateSize: intermediateSize, activation: activation)
        return gpus([Architecture(9, 0), Architecture(10, 0), Architecture(12, 0)]).flatMap { gpu in
            MoEStream.tokenCounts.compactMap { MoEStream(shape, route: route, tokenCount: $0, on: gpu) }
                + [MoEStream.early(shape, topK: 4, on: gpu)].compactMap { $0 }
        }
    }

    /// Those for matrices of so many rows.
    private static func linearKernels(_ format: WeightFormat, _ rowCount: Int) -> [MoEStream] {
        let shape = ExpertShape(format, rowCount: rowCount, columnCount: 2048)
        return gpus([Architecture(9, 0), Architecture(12, 0)]).flatMap { gpu in
            MoEStream.tokenCounts.compactMap { MoEStream(shape, tokenCount: $0, on: gpu) }
        }
    }

    @Test(
        "no barrier's round is taken for another, whatever the shape",
        arguments: [WeightFormat.nvfp4, .mxfp4, .float8, .bfloat16])
    func rounds(_ format: WeightFormat) throws {
        for size in stride(from: 64, through: 10240, by: 96) {
            let kernels = try Self.kernels(format, size) + Self.linearKernels(format, size)
            #expect(!kernels.isEmpty)
            for kernel in kernels {
                let pipeline = kernel.pipeline
                let turns = (1...).first {
                    $0 * pipeline.inputCopierCount % pipeline.chunkTurns == 0
                }
                #expect((turns ?? .max) * pipeline.inputCopierCount <= pipeline.stages, "\(kernel)")
                #expect(pipeline.stages % pipeline.chunkTurns == 0, "\(kernel)")
                #expect(max(pipeline.inFlight, pipeline.lead, pipeline.middle) <= pipeline.stages, "\(kernel)")
            }
        }
    }

    @Test("each of two phases has some of the first product and of the second")
    func phases() throws {
        for intermediateSize in stride(from: 64, through: 10240, by: 96) {
            for kernel in try Self.kernels(.nvfp4, intermediateSize) {
                let blocksOfSlab = kernel.shape.activation.isGated ? 2 : 1
                for (expertCount, multiprocessorCount) in [(1, 132), (4, 132), (8, 78), (64, 132), (1, 4)] {
                    let cut = kernel.cut(expertCount: expertCount, multiprocessorCount: multiprocessorCount)
                    guard cut > 0 else { continue }
                    #expect(cut < kernel.shape.down.slabCount && cut * blocksOfSlab < kernel.shape.upBlockCount)
                }
            }
        }
    }

    @Test("the second phase gives all SMs equally many whole sums where experts are few")
    func cuts() throws {
        func cut(_ size: Int, _ hiddenSize: Int, tokenCount: Int, expertCount: Int) throws -> Int {
            let shape = ExpertShape(.nvfp4, hiddenSize: hiddenSize, intermediateSize: size, activation: .swiglu)
            let kernel = MoEStream(shape, tokenCount: tokenCount, on: Self.hopper)
            return try #require(kernel).cut(expertCount: expertCount, multiprocessorCount: 132)
        }
        // Llama 4 Scout: 256 blocks, of which 132 are the second phase; with four experts 96, by chunks.
        #expect(try cut(8192, 5120, tokenCount: 1, expertCount: 1) == 62)
        #expect(try cut(8192, 5120, tokenCount: 2, expertCount: 2) == 62)
        #expect(try cut(8192, 5120, tokenCount: 4, expertCount: 4) == 80)
        // gpt-oss: 90 blocks of four experts, 32 of which are the second phase.
        #expect(try cut(2880, 2880, tokenCount: 1, expertCount: 4) == 29)
        #expect(try cut(2880, 2880, tokenCount: 8, expertCount: 32) == 32)
        // Qwen3-30B-A3B: short sums are in one phase.
        #expect(try cut(768, 2048, tokenCount: 1, expertCount: 8) == 0)
    }

    /// The rows of one token that its kernel gathers, routed by itself and early.
    private static func gatheredRows(
        _ hiddenSize: Int, _ intermediateSize: Int, _ format: WeightFormat = .nvfp4, topK: Int = 8,
        on resources: MoEStream.Resources = hopper
    ) throws -> [Int?] {
        let shape = ExpertShape(
            format, hiddenSize: hiddenSize, intermediateSize: intermediateSize, activation: .swiglu)
        let route = try Route(.softmax, expertCount: 128, topK: topK, blockRowCounts: [8])
        return [
            MoEStream(shape, route: route, tokenCount: 1, on: resources),
            MoEStream.early(shape, topK: topK, on: resources),
        ].map { $0?.pipeline.gatheredRowCount }
    }

    @Test(
        "one token's rows are gathered where sums are short and blocks of 16 outputs as many as SMs, or twice as many")
    func gathering() throws {
        // Qwen3-30B-A3B has 128 blocks.
        #expect(try Self.gatheredRows(2048, 768) == [8, 8])
        #expect(try Self.gatheredRows(4096, 512, .mxfp4, topK: 2) == [2, 2])
        // Long sums, too many blocks for 132 SMs, too few, other GPUs, and weights without block scales.
        #expect(try Self.gatheredRows(2048, 1088) == [0, 0])
        #expect(try Self.gatheredRows(2880, 768) == [0, 0])
        #expect(try Self.gatheredRows(1024, 768) == [0, 0])
        let fewer = MoEStream.Resources(
            architecture: Architecture(9, 0), sharedByteCount: 227 << 10, multiprocessorCount: 114)
        #expect(try Self.gatheredRows(2048, 768, on: fewer) == [0, 0])
        let blackwell = MoEStream.Resources(
            architecture: Architecture(10, 0), sharedByteCount: 227 << 10, multiprocessorCount: 132)
        #expect(try Self.gatheredRows(2048, 768, on: blackwell) == [0, nil])
        #expect(try Self.gatheredRows(2048, 768, .bfloat16) == [0, nil])
        // So many rows that two blocks would not share an SM any more.
        #expect(try Self.gatheredRows(2048, 1024, topK: 16) == [16, 0])
    }

    @Test("a kernel of one product, of several tokens, or without its own routing gathers nothing")
    func gatheringNothing() throws {
        let shape = ExpertShape(.nvfp4, hiddenSize: 2048, intermediateSize: 768, activation: .swiglu)
        let route = try Route(.softmax, expertCount: 128, topK: 8, blockRowCounts: [8])
        let kernel = try #require(MoEStream(shape, route: route, tokenCount: 1, on: Self.hopper))
        let gathered = kernel.sharedByteCount
        #expect(kernel.only(.down).sharedByteCount < gathered - 8 * 12 * 128)
        let others = [
            MoEStream(shape, route: route, tokenCount: 2, on: Self.hopper),
            MoEStream(shape, tokenCount: 1, on: Self.hopper),
        ]
        for other in others { #expect(try #require(other).pipeline.gatheredRowCount == 0) }
    }
}

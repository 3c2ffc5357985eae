import CUDA
import Kernels
import Testing

@testable import CUDAKernels

@Suite("Pipelines of the streaming kernel")
struct StreamPipelineTests {
    /// Shared memory of a block: of Hopper, of consumer GPUs, and what is left beside other users.
    private static let sharedByteCounts = [227 << 10, 99 << 10, 48 << 10]

    /// Kernels for experts of many sizes, as they are loaded.
    private static func kernels(_ format: WeightFormat, _ intermediateSize: Int) -> [MoEStream] {
        let activation: ExpertActivation = intermediateSize % 3 == 0 ? .reluSquared : .swiglu
        let shape = ExpertShape(format, hiddenSize: 2048, intermediateSize: intermediateSize, activation: activation)
        return [Architecture(9, 0), Architecture(10, 0), Architecture(12, 0)].flatMap { architecture in
            sharedByteCounts.flatMap { byteCount in
                let early = MoEStream.early(shape, for: architecture, sharedByteCount: byteCount)
                return MoEStream.tokenCounts.compactMap {
                    MoEStream(shape, tokenCount: $0, for: architecture, sharedByteCount: byteCount)
                } + (early.map { [$0] } ?? [])
            }
        }
    }

    /// Kernels for linear layers of many sizes.
    private static func linearKernels(_ format: WeightFormat, _ rowCount: Int) -> [MoEStream] {
        let shape = ExpertShape(format, rowCount: rowCount, columnCount: 2048)
        return [Architecture(9, 0), Architecture(12, 0)].flatMap { architecture in
            sharedByteCounts.flatMap { byteCount in
                MoEStream.tokenCounts.compactMap {
                    MoEStream(shape, tokenCount: $0, for: architecture, sharedByteCount: byteCount)
                }
            }
        }
    }

    @Test(
        "no barrier's round is taken for another, whatever the shape",
        arguments: [WeightFormat.nvfp4, .mxfp4, .float8, .bfloat16])
    func rounds(_ format: WeightFormat) {
        for size in stride(from: 64, through: 10240, by: 96) {
            let kernels = Self.kernels(format, size) + Self.linearKernels(format, size)
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
    func phases() {
        for intermediateSize in stride(from: 64, through: 10240, by: 96) {
            for kernel in Self.kernels(.nvfp4, intermediateSize) {
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
            let kernel = MoEStream(
                shape, tokenCount: tokenCount, for: Architecture(9, 0), sharedByteCount: 227 << 10)
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
}

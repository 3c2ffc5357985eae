import Benchmarking
import FP4
import Testing

@Suite struct KernelWorkTests {
    @Test("an expert of Qwen3-30B-A3B has 2.65 MB: 3 matrices of 2048 x 768 at 4.5 bits")
    func expertBytes() {
        #expect(LayerShape.qwen330BA3B.expertByteCount == 3 * 2048 * 768 * 9 / 16)
        // 4.25 bits in MXFP4.
        #expect(LayerShape.gptOSS120B.expertByteCount == 3 * 2880 * 2880 * 17 / 32)
        #expect(LayerShape.scout.linearByteCount == 5120 * 5120 * 9 / 16)
    }

    @Test("a routed layer reads each distinct expert once and computes each token's experts")
    func moe() {
        let work = KernelWork.moe(.qwen330BA3B, tokenCount: 16, distinctExpertCount: 82)
        #expect(work.byteCount == 82 * 2_654_208)
        #expect(work.operationCount == 16 * 8 * 3 * 2 * 2048 * 768)
    }

    @Test("a matrix product has two operations for each weight and token")
    func linear() {
        let work = KernelWork.linear(.scout, tokenCount: 3)
        #expect(work.byteCount == 5120 * 5120 * 9 / 16)
        #expect(work.operationCount == 6 * 5120 * 5120)
    }

    @Test("quantizing one token writes a tile of padding in the tiled layouts")
    func quantize() throws {
        let values = 5120
        func byteCount(_ tiling: ScaleLayout.Tiling) throws -> Int {
            KernelWork.quantize(try #require(ScaleLayout(tiling, rowCount: 1, columnCount: 320))).byteCount
        }
        #expect(try byteCount(.linear) == values * 4 + values / 2 + 320)
        #expect(try byteCount(.tiles8x4) == values * 4 + values / 2 + 320 * 8)
        #expect(try byteCount(.tiles128x4) == values * 4 + values / 2 + 320 * 128)
    }

    @Test("the limit is the larger of the bytes' time and the arithmetic's")
    func limits() {
        let limits = DeviceLimits(bytesPerSecond: 1e9, operationsPerSecond: 1e12)
        let one = KernelWork.linear(.scout, tokenCount: 1)
        let many = KernelWork.linear(.scout, tokenCount: 4096)
        #expect(limits.seconds(for: one) == Double(one.byteCount) / 1e9)
        #expect(limits.seconds(for: many) == Double(many.operationCount) / 1e12)
        let int8 = DeviceLimits(bytesPerSecond: 1e9, operationsPerSecond: 1e12, int8OperationsPerSecond: 4e12)
        #expect(int8.seconds(for: one) == Double(one.byteCount) / 1e9)
        #expect(int8.seconds(for: many) == Double(many.operationCount) / 4e12)
    }
}

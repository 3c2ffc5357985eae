import Testing

@testable import Benchmarking

@Suite struct WeightCopiesTests {
    @Test("the weights exceed the caches four times, and 128 MiB")
    func beyondCaches() {
        #expect(WeightCopies.byteCount(beyondCaches: 8 << 20) == 128 << 20)
        #expect(WeightCopies.byteCount(beyondCaches: 64 << 20) == 256 << 20)
        #expect(WeightCopies.byteCount(beyondCaches: .max) == .max)
    }

    @Test("there are enough copies for the wanted bytes, one at least, and no more than the memory allows")
    func copies() {
        func count(_ byteCount: Int, wanted: Int, memory: Int = 64 << 30) -> Int {
            WeightCopies.count(ofByteCount: byteCount, wanted: wanted, memoryByteCount: memory)
        }
        #expect(count(32 << 20, wanted: 128 << 20) == 4)
        #expect(count(30 << 20, wanted: 128 << 20) == 5)
        #expect(count(4 << 30, wanted: 128 << 20) == 1)
        #expect(count(100 << 20, wanted: 2 << 30, memory: 1 << 30) == 2)
        #expect(count(1, wanted: .max, memory: .max) == 4096)
    }

    @Test("reads the sizes of caches as Linux writes them")
    func cacheSizes() {
        #expect(HostMemory.byteCount(ofCache: "32768K") == 32 << 20)
        #expect(HostMemory.byteCount(ofCache: "2M") == 2 << 20)
        #expect(HostMemory.byteCount(ofCache: "512") == 512)
        #expect(HostMemory.byteCount(ofCache: "lots") == nil)
        #expect(HostMemory.byteCount(ofCache: "9223372036854775807K") == nil)
    }
}

import Testing

@testable import Kernels

struct AvailableMemoryTests {
    @Test("available memory is what Linux counts so, and free swap space")
    func available() {
        let text =
            "MemTotal:       24684092 kB\nMemFree:          100 kB\nMemAvailable:   2048 kB\nHugePages_Free:   7\n"
        #expect(AvailableMemory.byteCount(in: text) == 2048 * 1024)
        #expect(AvailableMemory.byteCount(in: text + "SwapFree:   1 kB\n") == 2049 * 1024)
        #expect(AvailableMemory.byteCount(in: "MemFree: 1 kB\n") == nil)
        #expect(AvailableMemory.byteCount(in: "MemAvailable: 9223372036854775807 kB\n") == nil)
    }

    @Test("a layer that does not fit is refused by name, before it is written; without an answer nothing is")
    func require() throws {
        try AvailableMemory.require([60, 40], of: 100, for: "layer")
        try AvailableMemory.require([.max, .max], of: nil, for: "layer")
        for (byteCounts, needed) in [([60, 41], 101), ([.max, 1], Int.max)] {
            let error = #expect(throws: KernelError.self) {
                try AvailableMemory.require(byteCounts, of: 100, for: "layer")
            }
            #expect(error?.description.contains("layer: no memory for the \(needed) bytes") == true)
        }
    }
}

import Testing

@testable import Kernels

struct ProcessorFeaturesTests {
    @Test("lists what the instruction sets need")
    func names() {
        let names = CPUBackend.processorFeatures
        #expect(InstructionSet.best.isAvailable)
        #expect(InstructionSet.plain.isAvailable)
        if InstructionSet.avx2.isAvailable { #expect(Set(["avx2", "fma", "f16c"]).isSubset(of: names)) }
        if InstructionSet.avx512.isAvailable { #expect(names.contains("avx512bw")) }
        #expect(InstructionSet.neon.isAvailable == names.contains("neon"))
    }

    @Test("refuses instructions that the processor lacks")
    func unavailable() {
        for instructionSet in InstructionSet.allCases where !instructionSet.isAvailable {
            #expect(throws: KernelError.self) { try CPUBackend(threadCount: 1, instructionSet: instructionSet) }
        }
    }
}

import Testing

@testable import Kernels

struct PeakTests {
    @Test(
        "the peak of 8-bit integers is that of byte products where the kernels have them",
        arguments: InstructionSet.available)
    func factors(_ instructionSet: InstructionSet) throws {
        let backend = try CPUBackend(threadCount: 2, instructionSet: instructionSet)
        let operationCounts = [ProductFactors.float32, .int8].map { backend.runMultiplyAdds(of: $0, roundCount: 3) }
        // Threads, rounds, multiplications and additions, products of an instruction, and instructions of a round.
        let byteProducts =
            switch instructionSet {
            case .avx512 where CPUBackend.processorFeatures.contains("avx512vnni"): 2 * 3 * 2 * 64 * 24 * 16
            case .avx512, .avx2: 2 * 3 * 2 * 32 * 12 * 16
            case .plain, .neon: operationCounts[0]
            }
        #expect(operationCounts[1] == byteProducts)
    }
}

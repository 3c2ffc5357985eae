import TestSupport

import Testing

@testable import Kernels

struct NormalizationTests {
    @Test(
        "divides by the root mean square", arguments: [1, 3, 8, 31, 32, 64, 100, 256, 2880],
        InstructionSet.available)
    func values(columnCount: Int, instructionSet: InstructionSet) throws {
        let backend = try CPUBackend(threadCount: 2, instructionSet: instructionSet)
        var random = SeededRandom(seed: UInt64(columnCount))
        let rows = (0..<40).map { random.floats(columnCount, scale: Float($0 + 1)) }
        let weight = random.floats(columnCount, scale: 2)
        let input = try backend.makeActivations(rows)
        let output = try backend.makeActivations(rowCount: 41, columnCount: columnCount)
        try backend.normalize(input, rowCount: 40, weight: backend.makeVector(weight), epsilon: 1e-2, into: output)

        let expected = rows.flatMap { row in
            let meanSquare = row.map { Double($0) * Double($0) }.reduce(0, +) / Double(columnCount)
            let root = (meanSquare + Double(Float(1e-2))).squareRoot()
            return zip(row, weight).map { Double($0) / root * Double($1) }
        }
        let actual = try backend.read(output, rowCount: 41)
        #expect(largestDifference(Array(actual[..<expected.count]), expected) < 4e-6)
        #expect(actual[expected.count...].allSatisfy { $0 == 0 })
    }

    @Test("works in place")
    func inPlace() throws {
        let backend = try CPUBackend(threadCount: 1)
        let buffer = try backend.makeActivations([[3, 4]])
        try backend.normalize(buffer, rowCount: 1, weight: backend.makeVector([1, 2]), epsilon: 0, into: buffer)
        let root = 12.5.squareRoot()
        #expect(largestDifference(try backend.read(buffer, rowCount: 1), [3 / root, 8 / root]) < 1e-6)
    }

    @Test("refuses buffers of other sizes")
    func sizes() throws {
        let backend = try CPUBackend(threadCount: 1)
        let small = try backend.makeActivations(rowCount: 1, columnCount: 2)
        let large = try backend.makeActivations(rowCount: 2, columnCount: 3)
        let weight = try backend.makeVector([1, 1, 1])
        func normalize(_ input: CPUActivations, _ rowCount: Int, _ output: CPUActivations) throws {
            try backend.normalize(input, rowCount: rowCount, weight: weight, epsilon: 0, into: output)
        }
        #expect(throws: KernelError.self) { try normalize(small, 1, large) }
        #expect(throws: KernelError.self) { try normalize(large, 1, small) }
        #expect(throws: KernelError.self) { try normalize(large, 3, large) }
        #expect(throws: KernelError.self) { try normalize(large, -1, large) }
    }
}

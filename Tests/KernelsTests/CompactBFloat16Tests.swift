import CCPUKernels
import TestSupport
import Testing

@testable import Kernels

/// BF16 in 12 bits: the same numbers, whatever they are.
struct CompactBFloat16Tests {
    static let instructionSets = InstructionSet.available

    /// A BF16 matrix by its bits.
    private final class Case {
        let rowCount: Int
        let columnCount: Int
        var bits: [UInt16]

        /// Numbers as weights are, but for blocks that no sampled row (every 32nd) belongs to:
        /// 1 has random bits, 3 zeros and 5 a few numbers of any size.
        ///
        /// - Parameter finite: whether infinities and NaN are left out.
        init(columnCount: Int, finite: Bool, random: inout SeededRandom) {
            rowCount = 16 * 32 + 5
            self.columnCount = columnCount
            bits = random.floats(rowCount * columnCount, scale: 0.1).map { UInt16($0.bitPattern >> 16) }
            let block = 16 * columnCount
            for index in block..<2 * block { bits[index] = Self.any(finite: finite, random: &random) }
            for index in 3 * block..<4 * block { bits[index] = index % 3 == 0 ? 0x8000 : 0 }
            for index in stride(from: 5 * block, to: 6 * block, by: 37) {
                bits[index] = Self.any(finite: finite, random: &random)
            }
        }

        /// Of every size from subnormal numbers to 2^60, whose products stay finite.
        private static func any(finite: Bool, random: inout SeededRandom) -> UInt16 {
            let bits = UInt16.random(in: 0...UInt16.max, using: &random)
            return finite && bits & 0x7FFF >= 0x5D80 ? bits & 0x9FFF : bits
        }

        /// Calls `body` with a view of the matrix, row-major or transposed.
        func withMatrix<R>(isTransposed: Bool = false, _ body: (WeightMatrix) throws -> R) throws -> R {
            var stored = bits.map(\.littleEndian)
            if isTransposed {
                for index in bits.indices {
                    let (row, column) = index.quotientAndRemainder(dividingBy: columnCount)
                    stored[column * rowCount + row] = bits[index].littleEndian
                }
            }
            return try stored.withUnsafeBytes { bytes in
                let elements = StridedBytes(
                    base: try #require(bytes.baseAddress), rowStride: isTransposed ? 2 : 2 * columnCount,
                    columnStride: isTransposed ? 2 * rowCount : 2)
                return try body(
                    WeightMatrix(
                        name: "w", rowCount: rowCount, columnCount: columnCount, elements: elements,
                        encoding: .bfloat16))
            }
        }

        func value(_ row: Int, _ column: Int) -> Float {
            Float(bitPattern: UInt32(bits[row * columnCount + column]) << 16)
        }
    }

    private func packed(_ linear: CPULinear) throws -> PackedMatrix {
        let matrix = try #require(linear.parts.first)
        try #require(matrix.shape.format == NIBBLE_COMPACT_BFLOAT16)
        return matrix
    }

    @Test("keeps every bit", arguments: [64, 131, 264], [false, true])
    func roundTrip(columnCount: Int, isTransposed: Bool) throws {
        var random = SeededRandom(seed: 31)
        let test = Case(columnCount: columnCount, finite: false, random: &random)
        let matrix = try test.withMatrix(isTransposed: isTransposed) {
            try packed(CPUBackend(threadCount: 2).makeLinear([$0], bias: nil))
        }
        var row = [Float](repeating: 0, count: columnCount)
        for index in 0..<test.rowCount {
            row.withUnsafeMutableBufferPointer { if let base = $0.baseAddress { matrix.readRow(index, into: base) } }
            #expect(
                row.map { UInt16($0.bitPattern >> 16) }
                    == Array(test.bits[index * columnCount..<(index + 1) * columnCount]))
            #expect(row.allSatisfy { $0.bitPattern & 0xFFFF == 0 })
        }
        #expect(matrix.byteCount * 10 < test.bits.count * 2 * 9)
    }

    @Test("decodes panels bit for bit", arguments: instructionSets)
    func panels(instructionSet: InstructionSet) throws {
        var random = SeededRandom(seed: 32)
        let test = Case(columnCount: 267, finite: true, random: &random)
        let matrix = try test.withMatrix { try packed(CPUBackend(threadCount: 1).makeLinear([$0], bias: nil)) }
        let panel = UnsafeMutableBufferPointer<Float>.allocate(capacity: 256 * 16 + 16)
        defer { panel.deallocate() }
        let start = try #require(panel.baseAddress)
        let aligned = start + (64 - Int(bitPattern: start) % 64) % 64 / 4
        // Blocks 1, 3 and 5 are the special ones; the first of these is plain.
        for (block, first, count) in [(0, 0, 256), (1, 128, 139), (3, 0, 192), (5, 0, 128), (5, 192, 75), (32, 64, 3)] {
            instructionSet.matrixKernels.decode_panel(
                matrix.shape.format, matrix.block(block), first, count, 1, aligned)
            for column in 0..<count {
                for row in 0..<min(16, test.rowCount - block * 16) {
                    let expected = test.value(block * 16 + row, first + column)
                    #expect(aligned[column * 16 + row].bitPattern == expected.bitPattern)
                }
            }
        }
    }

    @Test("multiplies like the oracle", arguments: instructionSets, [131, 264])
    func oracle(instructionSet: InstructionSet, columnCount: Int) throws {
        var random = SeededRandom(seed: 33)
        let test = Case(columnCount: columnCount, finite: true, random: &random)
        let backend = try CPUBackend(threadCount: 2, instructionSet: instructionSet)
        let linear = try test.withMatrix { try backend.makeLinear([$0], bias: nil) }
        _ = try packed(linear)
        for rowCount in [1, 2, 3, 6, 8, 13, 33] {
            let inputs = random.floats(rowCount * columnCount, scale: 3)
            let input = try CPUActivations(rowCount: rowCount, columnCount: columnCount)
            try input.write(inputs)
            let output = try CPUActivations(rowCount: rowCount, columnCount: test.rowCount)
            try backend.apply(linear, to: input, rowCount: rowCount, accumulating: false, into: output)
            var largestError = 0.0
            for row in 0..<rowCount {
                for index in 0..<test.rowCount {
                    var (sum, magnitude) = (0.0, 0.0)
                    for column in 0..<columnCount {
                        let term = Double(inputs[row * columnCount + column]) * Double(test.value(index, column))
                        sum += term
                        magnitude += abs(term)
                    }
                    let error = abs(Double(output.row(row)[index]) - sum)
                    largestError = max(largestError, magnitude == 0 ? error : error / magnitude)
                }
            }
            #expect(largestError <= 1e-6, "\(rowCount) rows")
        }
    }

    @Test("passes infinite and undefined weights on, in their rows alone", arguments: instructionSets)
    func notFinite(instructionSet: InstructionSet) throws {
        var random = SeededRandom(seed: 34)
        let test = Case(columnCount: 64, finite: true, random: &random)
        test.bits[5 * 16 * 64 + 3 * 64 + 7] = 0x7F80
        test.bits[6 * 16 * 64 + 9 * 64 + 63] = 0xFFC1
        let backend = try CPUBackend(threadCount: 1, instructionSet: instructionSet)
        let linear = try test.withMatrix { try backend.makeLinear([$0], bias: nil) }
        for rowCount in [1, 2, 30] {
            let input = try CPUActivations(rowCount: rowCount, columnCount: 64)
            try input.write(random.floats(rowCount * 64))
            let output = try CPUActivations(rowCount: rowCount, columnCount: test.rowCount)
            try backend.apply(linear, to: input, rowCount: rowCount, accumulating: false, into: output)
            for row in 0..<rowCount {
                let special = (0..<test.rowCount).filter { !output.row(row)[$0].isFinite }
                #expect(special == [5 * 16 + 3, 6 * 16 + 9])
            }
        }
    }

    @Test("leaves matrices of other numbers as they are")
    func plain() throws {
        var random = SeededRandom(seed: 35)
        for columnCount in [8, 256] {
            let test = Case(columnCount: columnCount, finite: true, random: &random)
            // Too few columns, or too many exponents in the rows that are looked at.
            if columnCount == 256 {
                for index in test.bits.indices where index % 40 == 0 { test.bits[index] = 0x4780 }
            }
            let linear = try test.withMatrix { try CPUBackend(threadCount: 1).makeLinear([$0], bias: nil) }
            #expect(linear.parts.first?.shape.format == NIBBLE_BFLOAT16)
        }
    }
}

import TestSupport
import Testing

@testable import Kernels

/// `--activations int8`.
extension LinearTests {
    static let int8Formats = [MatrixCase.Format.nvfp4, .mxfp4]

    private func multiply(_ test: MatrixCase, _ inputs: [Float], _ backend: CPUBackend) throws -> [Float] {
        let rowCount = inputs.count / test.matrix.columnCount
        let linear = try backend.makeLinear([test.matrix], bias: nil)
        let input = try activations(inputs, rowCount: rowCount, columnCount: test.matrix.columnCount)
        let output = try CPUActivations(rowCount: rowCount, columnCount: test.matrix.rowCount)
        try backend.apply(linear, to: input, rowCount: rowCount, accumulating: false, into: output)
        return try backend.read(output, rowCount: rowCount)
    }

    @Test("multiplies integers of 8 bits like the oracle", arguments: instructionSets, int8Formats)
    func int8Oracle(instructionSet: InstructionSet, format: MatrixCase.Format) throws {
        var random = SeededRandom(seed: 31)
        let backend = try CPUBackend(threadCount: 2, activationPrecision: .int8, instructionSet: instructionSet)
        let rowCounts = Array(1...20) + [64, 65, 200]
        for (outputCount, columnCount, rowCounts) in [
            (1, 32, rowCounts), (16, 64, rowCounts), (37, 96, rowCounts), (50, 544, [1, 2, 3, 5, 70]),
        ] {
            let test = MatrixCase(format, rowCount: outputCount, columnCount: columnCount, random: &random)
            for rowCount in rowCounts {
                let inputs = random.floats(rowCount * columnCount, scale: 3)
                let values = try multiply(test, inputs, backend)
                let expected = product(roundedToInt8(inputs), test, rowCount: rowCount)
                #expect(
                    error(values, expected) <= 1, "[\(outputCount), \(columnCount)] with \(rowCount) rows")
            }
        }
    }

    @Test("rounds each activation by half a 127th of the largest of 16 at most")
    func int8Step() throws {
        var random = SeededRandom(seed: 32)
        let backend = try CPUBackend(threadCount: 1, activationPrecision: .int8)
        for format in Self.int8Formats {
            let test = MatrixCase(format, rowCount: 40, columnCount: 256, random: &random)
            for exponent in [-60, -3, 0, 60] {
                let inputs = random.floats(256).map { $0 * Float(sign: .plus, exponent: exponent, significand: 1) }
                let values = try multiply(test, inputs, backend)
                for (output, exact) in product(inputs, test, rowCount: 1).enumerated() {
                    let bound = stride(from: 0, to: 256, by: 16).reduce(exact.tolerance) { sum, start in
                        let largest = inputs[start..<start + 16].reduce(0) { max($0, $1.magnitude) }
                        let weights = test.values[output * 256 + start..<output * 256 + start + 16]
                        return sum + Double(largest) / 127 * 0.5005 * weights.reduce(0) { $0 + abs($1) }
                    }
                    #expect(abs(Double(values[output]) - exact.value) <= bound, "\(format), 2^\(exponent)")
                }
            }
        }
    }

    @Test("gives a row the same bits beside any others, and with any fused multiply-add", arguments: int8Formats)
    func int8Bits(format: MatrixCase.Format) throws {
        var random = SeededRandom(seed: 33)
        let test = MatrixCase(format, rowCount: 70, columnCount: 288, random: &random)
        let inputs = random.floats(130 * 288)
        var results: [[Float]] = []
        for set in InstructionSet.available {
            let backend = try CPUBackend(threadCount: 2, activationPrecision: .int8, instructionSet: set)
            let all = try multiply(test, inputs, backend)
            for rowCount in [1, 2, 3, 4, 64, 65] {
                let some = try multiply(test, Array(inputs.prefix(rowCount * 288)), backend)
                #expect(some == Array(all.prefix(rowCount * 70)), "\(set.rawValue), \(rowCount) rows")
            }
            if set != .plain { results.append(all) }
        }
        #expect(results.dropFirst().allSatisfy { $0 == results.first })
    }

    @Test("keeps NaN and infinity in their row, and zeros zero", arguments: instructionSets, [1, 2, 3, 5, 70])
    func int8NotFinite(instructionSet: InstructionSet, rowCount: Int) throws {
        var random = SeededRandom(seed: 34)
        let backend = try CPUBackend(threadCount: 1, activationPrecision: .int8, instructionSet: instructionSet)
        for format in Self.int8Formats {
            let test = MatrixCase(format, rowCount: 24, columnCount: 96, random: &random)
            var inputs = random.floats(rowCount * 96)
            let row = rowCount / 2
            let (before, after) = (row * 24, (row + 1) * 24)
            let finite = try multiply(test, inputs, backend)
            for special in [Float.nan, .infinity, -.infinity] {
                inputs[row * 96 + 37] = special
                let values = try multiply(test, inputs, backend)
                #expect(values[before..<after].allSatisfy { !$0.isFinite })
                #expect(values[..<before] == finite[..<before] && values[after...] == finite[after...])
            }
            // Whole groups of zeros, some of them negative.
            for column in 16..<96 { inputs[row * 96 + column] = column.isMultiple(of: 3) ? -0.0 : 0 }
            let expected = product(roundedToInt8(inputs), test, rowCount: rowCount)
            #expect(try error(multiply(test, inputs, backend), expected) <= 1)
            for column in 0..<16 { inputs[row * 96 + column] = 0 }
            #expect(try multiply(test, inputs, backend)[before..<after].allSatisfy { $0 == 0 })
        }
    }

    @Test("leaves what enters matrices without block scales as it is")
    func int8OtherFormats() throws {
        var random = SeededRandom(seed: 35)
        let int8 = try CPUBackend(threadCount: 1, activationPrecision: .int8)
        let full = try CPUBackend(threadCount: 1)
        let tests = [MatrixCase.Format.bfloat16, .nvfp4, .float32].map {
            MatrixCase($0, rowCount: 20, columnCount: 64, random: &random)
        }
        for rowCount in [1, 30] {
            let inputs = random.floats(rowCount * 64)
            let input = try activations(inputs, rowCount: rowCount, columnCount: 64)
            let rows = try [int8, full].map { backend in
                let linear = try backend.makeLinear(tests.map(\.matrix), bias: nil)
                let output = try CPUActivations(rowCount: rowCount, columnCount: 60)
                try backend.apply(linear, to: input, rowCount: rowCount, accumulating: false, into: output)
                return try backend.read(output, rowCount: rowCount)
            }
            let isQuantized = (0..<rowCount * 60).map { 20..<40 ~= $0 % 60 }
            for (index, isQuantized) in isQuantized.enumerated() where !isQuantized {
                #expect(rows[0][index] == rows[1][index])
            }
            #expect(zip(rows[0], rows[1]).contains { $0 != $1 })
        }
    }
}

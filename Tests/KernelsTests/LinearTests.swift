import FP4
import TestSupport
import Testing

@testable import Kernels

struct LinearTests {
    static let instructionSets = InstructionSet.available
    static let rowCounts = [0, 1, 2, 3, 4, 5, 7, 8, 9, 13, 33]

    /// What is expected of a product, and how far float32 sums may be from it.
    struct Expected {
        var value: Double
        var tolerance: Double
    }

    func product(_ inputs: [Float], _ test: MatrixCase, rowCount: Int) -> [Expected] {
        let columnCount = test.matrix.columnCount
        var expected: [Expected] = []
        for row in 0..<rowCount {
            for output in 0..<test.matrix.rowCount {
                var (sum, magnitude) = (0.0, 0.0)
                for column in 0..<columnCount {
                    let term =
                        Double(inputs[row * columnCount + column]) * test.values[output * columnCount + column]
                    sum += term
                    magnitude += abs(term)
                }
                expected.append(Expected(value: sum, tolerance: 1e-6 * magnitude))
            }
        }
        return expected
    }

    func activations(_ values: [Float], rowCount: Int, columnCount: Int) throws -> CPUActivations {
        let buffer = try CPUActivations(rowCount: rowCount, columnCount: columnCount)
        try buffer.write(values)
        return buffer
    }

    /// The largest difference as a share of what is tolerated.
    func error(_ values: [Float], _ expected: [Expected]) -> Double {
        if values.count != expected.count { return .infinity }
        return zip(values, expected).reduce(0) { max($0, abs(Double($1.0) - $1.1.value) / $1.1.tolerance) }
    }

    @Test("multiplies like the oracle", arguments: instructionSets, MatrixCase.formats)
    func oracle(instructionSet: InstructionSet, format: MatrixCase.Format) throws {
        var random = SeededRandom(seed: 11)
        let backend = try CPUBackend(threadCount: 2, instructionSet: instructionSet)
        for (outputCount, columnCount) in [(1, 32), (16, 64), (37, 96), (50, 544)] {
            let test = MatrixCase(format, rowCount: outputCount, columnCount: columnCount, random: &random)
            let linear = try backend.makeLinear([test.matrix], bias: nil)
            for rowCount in Self.rowCounts {
                let inputs = random.floats(rowCount * columnCount, scale: 3)
                let input = try activations(inputs, rowCount: max(rowCount, 1), columnCount: columnCount)
                let output = try CPUActivations(rowCount: max(rowCount, 1), columnCount: outputCount)
                try backend.apply(linear, to: input, rowCount: rowCount, accumulating: false, into: output)
                let values = try backend.read(output, rowCount: rowCount)
                #expect(
                    error(values, product(inputs, test, rowCount: rowCount)) <= 1,
                    "[\(outputCount), \(columnCount)] with \(rowCount) rows")
            }
        }
    }

    @Test("multiplies dense matrices of any number of columns", arguments: instructionSets)
    func oddColumns(instructionSet: InstructionSet) throws {
        var random = SeededRandom(seed: 12)
        let backend = try CPUBackend(threadCount: 1, instructionSet: instructionSet)
        for format in [MatrixCase.Format.float32, .float16, .bfloat16] {
            for columnCount in [1, 2, 5, 131, 259] {
                let test = MatrixCase(format, rowCount: 19, columnCount: columnCount, random: &random)
                let linear = try backend.makeLinear([test.matrix], bias: nil)
                for rowCount in [1, 2, 3, 6] {
                    let inputs = random.floats(rowCount * columnCount)
                    let input = try activations(inputs, rowCount: rowCount, columnCount: columnCount)
                    let output = try CPUActivations(rowCount: rowCount, columnCount: 19)
                    try backend.apply(linear, to: input, rowCount: rowCount, accumulating: false, into: output)
                    #expect(
                        try error(backend.read(output, rowCount: rowCount), product(inputs, test, rowCount: rowCount))
                            <= 1)
                }
            }
        }
    }

    @Test("stays exact where magnitudes differ widely", arguments: instructionSets, [1, 2, 3, 5])
    func magnitudes(instructionSet: InstructionSet, rowCount: Int) throws {
        var random = SeededRandom(seed: 13)
        let backend = try CPUBackend(threadCount: 1, instructionSet: instructionSet)
        for format in [MatrixCase.Format.nvfp4, .mxfp4] {
            let test = MatrixCase(format, rowCount: 32, columnCount: 128, random: &random)
            let linear = try backend.makeLinear([test.matrix], bias: nil)
            for exponent in [-60, -30, 0, 30, 60] {
                let scale = Float(sign: .plus, exponent: exponent, significand: 1)
                let inputs = random.floats(rowCount * 128).map { $0 * scale }
                let input = try activations(inputs, rowCount: rowCount, columnCount: 128)
                let output = try CPUActivations(rowCount: rowCount, columnCount: 32)
                try backend.apply(linear, to: input, rowCount: rowCount, accumulating: false, into: output)
                #expect(
                    try error(backend.read(output, rowCount: rowCount), product(inputs, test, rowCount: rowCount)) <= 1,
                    "\(format) with activations around 2^\(exponent)")
            }
        }
    }

    @Test("passes NaN and infinity on", arguments: instructionSets, [1, 2, 3, 5])
    func notFinite(instructionSet: InstructionSet, rowCount: Int) throws {
        var random = SeededRandom(seed: 14)
        let backend = try CPUBackend(threadCount: 1, instructionSet: instructionSet)
        for format in [MatrixCase.Format.nvfp4, .mxfp4, .bfloat16] {
            let test = MatrixCase(format, rowCount: 16, columnCount: 64, random: &random)
            let linear = try backend.makeLinear([test.matrix], bias: nil)
            for special in [Float.nan, .infinity] {
                var inputs = random.floats(rowCount * 64)
                inputs[20] = special
                let input = try activations(inputs, rowCount: rowCount, columnCount: 64)
                let output = try CPUActivations(rowCount: rowCount, columnCount: 16)
                try backend.apply(linear, to: input, rowCount: rowCount, accumulating: false, into: output)
                let values = try backend.read(output, rowCount: rowCount)
                #expect(values.prefix(16).allSatisfy { !$0.isFinite })
                #expect(values.dropFirst(16).allSatisfy { $0.isFinite })
            }
        }
    }

    @Test("stacks parts of different formats, adds their bias and accumulates", arguments: instructionSets)
    func parts(instructionSet: InstructionSet) throws {
        var random = SeededRandom(seed: 15)
        let tests = [
            MatrixCase(.nvfp4, rowCount: 21, columnCount: 64, random: &random),
            MatrixCase(.bfloat16, rowCount: 5, columnCount: 64, layout: .transposed, random: &random),
            MatrixCase(.mxfp4, rowCount: 40, columnCount: 64, layout: .interleaved, random: &random),
        ]
        let bias = random.floats(66)
        for threadCount in [1, 3] {
            let backend = try CPUBackend(threadCount: threadCount, instructionSet: instructionSet)
            let linear = try backend.makeLinear(tests.map(\.matrix), bias: bias)
            for rowCount in [1, 3, 11] {
                let inputs = random.floats(rowCount * 64)
                let before = random.floats(rowCount * 66)
                let input = try activations(inputs, rowCount: rowCount, columnCount: 64)
                let output = try activations(before, rowCount: rowCount, columnCount: 66)
                try backend.apply(linear, to: input, rowCount: rowCount, accumulating: true, into: output)
                var expected: [Expected] = []
                let products = tests.map { product(inputs, $0, rowCount: rowCount) }
                for row in 0..<rowCount {
                    let stacked = zip(tests, products).flatMap { test, product in
                        product[row * test.matrix.rowCount..<(row + 1) * test.matrix.rowCount]
                    }
                    for (column, value) in stacked.enumerated() {
                        let offset = Double(bias[column]) + Double(before[row * 66 + column])
                        expected.append(Expected(value: value.value + offset, tolerance: value.tolerance + 1e-6))
                    }
                }
                #expect(try error(backend.read(output, rowCount: rowCount), expected) <= 1)
            }
        }
    }

    @Test("gives the same bits with any number of threads", arguments: instructionSets, [1, 3, 20])
    func threads(instructionSet: InstructionSet, rowCount: Int) throws {
        var random = SeededRandom(seed: 16)
        let test = MatrixCase(.nvfp4, rowCount: 300, columnCount: 512, random: &random)
        let inputs = random.floats(rowCount * 512)
        var results: [[Float]] = []
        for threadCount in [1, 2, 5] {
            let backend = try CPUBackend(threadCount: threadCount, instructionSet: instructionSet)
            let linear = try backend.makeLinear([test.matrix], bias: nil)
            let input = try activations(inputs, rowCount: rowCount, columnCount: 512)
            let output = try CPUActivations(rowCount: rowCount, columnCount: 300)
            try backend.apply(linear, to: input, rowCount: rowCount, accumulating: false, into: output)
            results.append(try backend.read(output, rowCount: rowCount))
        }
        #expect(results[0] == results[1] && results[0] == results[2])
    }

    @Test("quantizes the input of NVFP4 parts for W4A4, each with its scale", arguments: [1, 2, 6])
    func quantizedInput(rowCount: Int) throws {
        var random = SeededRandom(seed: 17)
        let scales: [Float?] = [1000, nil, 500]
        let tests = scales.map {
            MatrixCase(.nvfp4, rowCount: 20, columnCount: 64, inputEncodeScale: $0, random: &random)
        }
        let dense = MatrixCase(.bfloat16, rowCount: 7, columnCount: 64, random: &random)
        let backend = try CPUBackend(threadCount: 2, activationPrecision: .nvfp4)
        let linear = try backend.makeLinear((tests + [dense]).map(\.matrix), bias: nil)
        let inputs = random.floats(rowCount * 64, scale: 2)
        let input = try activations(inputs, rowCount: rowCount, columnCount: 64)
        let output = try CPUActivations(rowCount: rowCount, columnCount: 67)
        try backend.apply(linear, to: input, rowCount: rowCount, accumulating: false, into: output)

        func quantized(_ scale: Float?) -> [Float] {
            stride(from: 0, to: inputs.count, by: 64).flatMap { start in
                let row = Array(inputs[start..<start + 64])
                var values = row
                let encodeScale =
                    scale ?? NVFP4.encodeScale(absoluteMaximum: row.map(abs).max() ?? 0)
                row.withUnsafeBufferPointer { row in
                    values.withUnsafeMutableBufferPointer {
                        NVFP4.fakeQuantize(activations: row, encodeScale: encodeScale, into: $0)
                    }
                }
                return values
            }
        }
        let products =
            zip(tests, scales).map { product(quantized($1), $0, rowCount: rowCount) }
            + [product(inputs, dense, rowCount: rowCount)]
        let counts = [20, 20, 20, 7]
        let expected = (0..<rowCount).flatMap { row in
            zip(products, counts).flatMap { $0[row * $1..<(row + 1) * $1] }
        }
        #expect(try error(backend.read(output, rowCount: rowCount), expected) <= 1)
    }

    @Test("refuses parts that do not fit, and encode scales that cannot be")
    func refusals() throws {
        var random = SeededRandom(seed: 18)
        let backend = try CPUBackend(threadCount: 1, activationPrecision: .nvfp4)
        let a = MatrixCase(.nvfp4, rowCount: 4, columnCount: 32, random: &random)
        let b = MatrixCase(.nvfp4, rowCount: 4, columnCount: 64, random: &random)
        #expect(throws: KernelError("a linear layer without matrices")) { try backend.makeLinear([], bias: nil) }
        #expect(throws: KernelError("nvfp4[4, 64]: 64 columns, expected the 32 of nvfp4[4, 32]")) {
            try backend.makeLinear([a.matrix, b.matrix], bias: nil)
        }
        #expect(throws: KernelError("nvfp4[4, 32]: a bias of 3 values, expected 4")) {
            try backend.makeLinear([a.matrix], bias: [1, 2, 3])
        }
        for scale in [0, -1, Float.nan, .infinity] {
            let test = MatrixCase(.nvfp4, rowCount: 4, columnCount: 32, inputEncodeScale: scale, random: &random)
            #expect(throws: KernelError.self) { try backend.makeLinear([test.matrix], bias: nil) }
        }
    }

    @Test("looks rows of an embedding table up")
    func embedding() throws {
        var random = SeededRandom(seed: 19)
        let backend = try CPUBackend(threadCount: 2)
        for format in MatrixCase.formats {
            let test = MatrixCase(format, rowCount: 40, columnCount: 96, random: &random)
            let table = try backend.makeLinear([test.matrix], bias: nil)
            let output = try CPUActivations(rowCount: 3, columnCount: 96)
            try backend.embed([39, 0, 17], from: table, into: output)
            let expected = [39, 0, 17].flatMap { test.values[$0 * 96..<($0 + 1) * 96] }
            let values = try backend.read(output, rowCount: 3)
            #expect(zip(values, expected).allSatisfy { abs(Double($0) - $1) <= 0x1p-24 * abs($1) })
            for token in [Int32(40), -1] {
                #expect(throws: KernelError.self) { try backend.embed([token], from: table, into: output) }
            }
        }
    }
}

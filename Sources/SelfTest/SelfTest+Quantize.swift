internal import CUDA
internal import CUDAKernels
internal import FP4
internal import Models

extension SelfTest {
    func testQuantize(_ onResult: (Result) throws -> Void) throws {
        for columnCount in selection.isSmall ? [32, 160] : [32, 160, 2048, 5120] {
            for test in try QuantizeCase.all(columnCount: columnCount) {
                let quantizer = try test.quantize.load(from: loader.sources, loader.cache, on: stream)
                for rowCount in selection.isSmall ? [0, 1, 9, 129] : [0, 1, 2, 7, 8, 9, 127, 128, 129, 300] {
                    let name = "\(test.name), \(rowCount) x \(columnCount)"
                    var random = random("quantize \(name)")
                    let rows = test.rows(rowCount: rowCount, columnCount: columnCount, using: &random)
                    try onResult(
                        Result(
                            operation: "quantize", name: name, error: try wrongBytes(quantizer, test, rows), bound: 0))
                }
            }
        }
    }

    /// Quantizes into poisoned memory, and counts what is wrong of codes, scales and their padding.
    private func wrongBytes(_ quantizer: Quantizer, _ test: QuantizeCase, _ rows: Activations) throws -> Double {
        guard let layout = test.quantize.scaleLayout(rowCount: rows.rowCount) else { return .infinity }
        let expected = test.expected(rows, layout)
        let input = try DeviceBuffer<UInt16>(loader.context, count: rows.values.count)
        let codes = try DeviceBuffer<UInt8>(loader.context, count: rows.values.count / 2)
        let scales = try DeviceBuffer<UInt8>(loader.context, count: layout.byteCount)
        let encodeScales = try DeviceBuffer<Float>(loader.context, count: max(1, rows.rowCount))
        try stream.write(test.bits(of: rows), to: input)
        try stream.fill(codes, byte: 0xA5)
        try stream.fill(scales, byte: 0xA5)
        try stream.write([test.givenScale], to: encodeScales.part(0..<1))
        try quantizer.launch(
            on: stream, input: input, rowCount: rows.rowCount, encodeScales: test.isNVFP4 ? encodeScales : nil,
            codes: codes, scales: scales)
        let (foundCodes, foundScales) = (try stream.read(codes), try stream.read(scales))
        if test.isFast {
            return Double(FastRule(encodeScale: test.givenScale).wrongBytes(rows, layout, foundCodes, foundScales))
        }
        var wrong = zip(foundCodes + foundScales, expected.codes + expected.scales).count { $0 != $1 }
        if test.isNVFP4, rows.rowCount > 0 {
            let found = try stream.read(encodeScales.part(0..<expected.encodeScales.count))
            wrong += zip(found, expected.encodeScales).count { $0 != $1 }
        }
        return Double(wrong)
    }
}

/// A way to quantize, and the CPU's result.
struct QuantizeCase {
    let name: String
    let quantize: Quantize
    /// The encode scale where it is given: the largest number is 10.
    let givenScale = NVFP4.encodeScale(absoluteMaximum: 10)

    var isNVFP4: Bool { quantize.format != .mxfp4 }
    var isFast: Bool { if case .nvfp4(_, .fast) = quantize.format { true } else { false } }
    private var source: Quantize.EncodeScale {
        if case .nvfp4(let source, _) = quantize.format { source } else { .given }
    }

    /// Every format, rule, source of scales, type of input and layout, if not every combination.
    static func all(columnCount: Int) throws -> [QuantizeCase] {
        var cases: [QuantizeCase] = []
        for tiling in ScaleLayout.Tiling.allCases {
            for input in Quantize.Input.allCases {
                let formats: [(String, Quantize.Format)] = [
                    ("nvfp4", .nvfp4(.given, .exact)), ("nvfp4, a scale for each row", .nvfp4(.perRow, .exact)),
                    ("nvfp4, one computed scale", .nvfp4(.perTensor, .exact)),
                    ("nvfp4, reciprocals", .nvfp4(.given, .fast)), ("mxfp4", .mxfp4),
                ]
                for (name, format) in formats {
                    cases.append(
                        QuantizeCase(
                            name: "\(name), \(input), \(tiling)",
                            quantize: try Quantize(format, input: input, tiling: tiling, columnCount: columnCount)))
                }
            }
        }
        return cases
    }

    /// Random rows, with blocks of zeros, of negative zeros and of small numbers, and where the scale does not depend on them
    /// with infinity and NaN.
    func rows(rowCount: Int, columnCount: Int, using random: inout SplitMix64) -> Activations {
        var rows = Activations(rowCount: rowCount, columnCount: columnCount, amplitude: 10, using: &random)
        for row in 0..<rowCount where row % 5 == 3 {
            let first = Int.random(in: 0..<columnCount / 16, using: &random) * 16
            let kind = Int.random(in: 0..<(source == .given && !isFast ? 5 : 3), using: &random)
            for column in first..<first + 16 {
                switch kind {
                case 0: rows[row, column] = 0
                case 1: rows[row, column] = column % 2 == 0 ? -0.0 : 0
                case 2: rows[row, column] *= 0x1p-12
                case 3 where column == first: rows[row, column] = .infinity
                case 4 where column == first: rows[row, column] = .nan
                default: break
                }
            }
        }
        guard quantize.input == .float16 else { return rows }
        for row in 0..<rowCount {
            for column in 0..<columnCount { rows[row, column] = Float(FP16(rows[row, column])) }
        }
        return rows
    }

    func bits(of rows: Activations) -> [UInt16] {
        quantize.input == .bfloat16
            ? rows.bits(pitch: rows.columnCount) : rows.values.map { FP16($0).bits }
    }

    /// What the CPU computes, padding included.
    func expected(
        _ rows: Activations, _ layout: ScaleLayout
    ) -> (codes: [UInt8], scales: [UInt8], encodeScales: [Float]) {
        var codes = [UInt8](repeating: 0, count: rows.values.count / 2)
        var scales = [UInt8](repeating: 0, count: layout.byteCount)
        guard isNVFP4 else {
            var linear = [UInt8](repeating: 0, count: rows.values.count / 32)
            rows.values.withUnsafeBufferPointer { values in
                codes.withUnsafeMutableBytes { codes in
                    linear.withUnsafeMutableBytes { MXFP4.quantize(weights: values, codes: codes, scales: $0) }
                }
            }
            for (index, scale) in linear.enumerated() {
                let (row, column) = index.quotientAndRemainder(dividingBy: layout.columnCount)
                scales[layout.offset(of: ScaleLayout.Position(row: row, column: column))] = scale
            }
            return (codes, scales, [])
        }
        func encodeScale(_ values: some Sequence<Float>) -> Float {
            NVFP4.encodeScale(absoluteMaximum: values.reduce(0) { max($0, abs($1)) })
        }
        let encodeScales: [Float] =
            switch source {
            case .given: [givenScale]
            case .perTensor: [encodeScale(rows.values)]
            case .perRow:
                (0..<rows.rowCount).map {
                    encodeScale(rows.values[$0 * rows.columnCount..<($0 + 1) * rows.columnCount])
                }
            }
        for row in 0..<rows.rowCount {
            rows.values.withUnsafeBufferPointer { values in
                codes.withUnsafeMutableBytes { codes in
                    scales.withUnsafeMutableBytes { scales in
                        NVFP4.quantize(
                            rows: row..<row + 1, ofActivations: values, rowStride: rows.columnCount,
                            encodeScale: encodeScales[encodeScales.count == 1 ? 0 : row], codes: codes, scales: scales,
                            layout: layout)
                    }
                }
            }
        }
        return (codes, scales, encodeScales)
    }
}

/// FlashInfer's rule, whose approximate reciprocals are a few units in the last place off: a scale or a code is right if an
/// argument within 1e-6 of the exact one rounds to it.
struct FastRule {
    let encodeScale: Float

    func wrongBytes(_ rows: Activations, _ layout: ScaleLayout, _ codes: [UInt8], _ scales: [UInt8]) -> Int {
        var wrong = scales.indices.count { layout.position(at: $0) == nil && scales[$0] != 0 }
        for row in 0..<rows.rowCount {
            for block in 0..<layout.columnCount {
                let first = row * rows.columnCount + block * 16
                let values = rows.values[first..<first + 16]
                let largest = values.reduce(0) { max($0, abs($1)) }
                let scale = scales[layout.offset(of: ScaleLayout.Position(row: row, column: block))]
                let quotient = encodeScale * (largest / 6)
                wrong += Self.near(quotient).contains { E4M3($0).bits == scale } ? 0 : 1
                let step = Float(E4M3(bits: scale)) / encodeScale
                // The codes of a block whose scale is zero mean nothing.
                guard largest > 0, step > 0 else { continue }
                for (index, value) in values.enumerated() {
                    let byte = codes[(first + index) / 2]
                    let code = index % 2 == 0 ? byte & 15 : byte >> 4
                    wrong += Self.near(value / step).contains { E2M1($0).bits == code } ? 0 : 1
                }
            }
        }
        return wrong
    }

    private static func near(_ value: Float) -> [Float] { [value, value * (1 - 1e-6), value * (1 + 1e-6)] }
}

import FP4
import Kernels
import Testing

@Suite struct QuantizeLayoutTests {
    /// Rows and columns with and without padding, in every layout.
    @Test(
        "scales lie where the layout says, padding is zero, and codes do not depend on the layout",
        arguments: ScaleLayout.Tiling.allCases)
    func layout(_ tiling: ScaleLayout.Tiling) throws {
        let backend = try CPUBackend(threadCount: 3)
        for (rowCount, columnCount) in [(0, 64), (1, 16), (7, 80), (8, 64), (9, 112), (128, 64), (130, 16), (300, 48)] {
            let input = try backend.makeActivations(rowCount: max(rowCount, 1), columnCount: columnCount)
            let values = (0..<rowCount * columnCount).map { Float($0 * 7919 % 2011 - 1005) }
            try input.write(values)
            let output = try CPUQuantizedActivations(rowCount: rowCount, columnCount: columnCount, tiling: tiling)
            try backend.quantize(input, encodeScale: 2.5, into: output)

            var codes = [UInt8](repeating: 0, count: rowCount * columnCount / 2)
            var scales = [UInt8](repeating: 0, count: rowCount * columnCount / 16)
            values.withUnsafeBufferPointer { values in
                codes.withUnsafeMutableBytes { codes in
                    scales.withUnsafeMutableBytes { scales in
                        NVFP4.quantize(activations: values, encodeScale: 2.5, codes: codes, scales: scales)
                    }
                }
            }
            #expect(Array(output.codes) == codes)
            let expected = output.scales.indices.map { offset in
                output.layout.position(at: offset).map { scales[$0.row * (columnCount / 16) + $0.column] } ?? 0
            }
            #expect(Array(output.scales) == expected, "\(rowCount) x \(columnCount)")
        }
    }

    @Test("refuses columns that are no whole blocks, and inputs of another size")
    func sizes() throws {
        #expect(throws: KernelError.self) {
            try CPUQuantizedActivations(rowCount: 1, columnCount: 24, tiling: .linear)
        }
        #expect(throws: KernelError.self) {
            try CPUQuantizedActivations(rowCount: .max, columnCount: 64, tiling: .linear)
        }
        let backend = try CPUBackend(threadCount: 1)
        let output = try CPUQuantizedActivations(rowCount: 2, columnCount: 32, tiling: .tiles8x4)
        let short = try backend.makeActivations(rowCount: 1, columnCount: 32)
        let wide = try backend.makeActivations(rowCount: 2, columnCount: 48)
        #expect(throws: KernelError.self) { try backend.quantize(short, encodeScale: 1, into: output) }
        #expect(throws: KernelError.self) { try backend.quantize(wide, encodeScale: 1, into: output) }
    }
}

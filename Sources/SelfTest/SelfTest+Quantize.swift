internal import CUDA
internal import CUDAKernels
internal import FP4
internal import Models

extension SelfTest {
    func testQuantize(_ onResult: (Result) throws -> Void) throws {
        for columnCount in [32, 160, 2048, 5120] {
            for tiling in ScaleLayout.Tiling.allCases {
                try compareNVFP4(tiling, columnCount: columnCount, onResult)
            }
            try compareMXFP4(columnCount: columnCount, onResult)
        }
    }

    private static let rowCounts = [0, 1, 2, 7, 8, 9, 127, 128, 129, 300]

    private func compareNVFP4(
        _ tiling: ScaleLayout.Tiling, columnCount: Int, _ onResult: (Result) throws -> Void
    ) throws {
        let quantize = try Quantize(.nvfp4(.given, .exact), tiling: tiling, columnCount: columnCount)
        let quantizer = try quantize.load(from: loader.sources, loader.cache, on: stream)
        for rowCount in Self.rowCounts {
            guard let layout = quantize.scaleLayout(rowCount: rowCount) else { continue }
            var random = random("quantize \(columnCount) \(rowCount) \(tiling)")
            let rows = Activations(rowCount: rowCount, columnCount: columnCount, amplitude: 10, using: &random)
            let encodeScale = NVFP4.encodeScale(absoluteMaximum: 10)
            var codes = [UInt8](repeating: 0, count: rowCount * columnCount / 2)
            var scales = [UInt8](repeating: 0, count: layout.byteCount)
            rows.values.withUnsafeBufferPointer { values in
                codes.withUnsafeMutableBytes { codes in
                    scales.withUnsafeMutableBytes { scales in
                        NVFP4.quantize(
                            rows: 0..<rowCount, ofActivations: values, encodeScale: encodeScale, codes: codes,
                            scales: scales, layout: layout)
                    }
                }
            }
            let given = try DeviceBuffer<Float>(loader.context, count: 1)
            try stream.write([encodeScale], to: given)
            let wrong = try countOfWrongBytes(quantizer, rows, encodeScales: given, codes: codes, scales: scales)
            try onResult(
                Result(
                    operation: "quantize", name: "nvfp4 \(tiling), \(rowCount) x \(columnCount)", error: wrong, bound: 0
                ))
        }
    }

    private func compareMXFP4(columnCount: Int, _ onResult: (Result) throws -> Void) throws {
        let quantize = try Quantize(.mxfp4, columnCount: columnCount)
        let quantizer = try quantize.load(from: loader.sources, loader.cache, on: stream)
        for rowCount in Self.rowCounts {
            var random = random("quantize mxfp4 \(columnCount) \(rowCount)")
            let rows = Activations(rowCount: rowCount, columnCount: columnCount, amplitude: 10, using: &random)
            var codes = [UInt8](repeating: 0, count: rowCount * columnCount / 2)
            var scales = [UInt8](repeating: 0, count: rowCount * columnCount / 32)
            rows.values.withUnsafeBufferPointer { values in
                codes.withUnsafeMutableBytes { codes in
                    scales.withUnsafeMutableBytes { MXFP4.quantize(weights: values, codes: codes, scales: $0) }
                }
            }
            let wrong = try countOfWrongBytes(quantizer, rows, encodeScales: nil, codes: codes, scales: scales)
            try onResult(
                Result(operation: "quantize", name: "mxfp4, \(rowCount) x \(columnCount)", error: wrong, bound: 0))
        }
    }

    /// Quantizes into poisoned memory and compares every byte.
    private func countOfWrongBytes(
        _ quantizer: Quantizer, _ rows: Activations, encodeScales: DeviceBuffer<Float>?, codes: [UInt8],
        scales: [UInt8]
    ) throws -> Double {
        let input = try DeviceBuffer<UInt16>(loader.context, count: rows.values.count)
        let codeBuffer = try DeviceBuffer<UInt8>(loader.context, count: codes.count)
        let scaleBuffer = try DeviceBuffer<UInt8>(loader.context, count: scales.count)
        try rows.copy(to: input, pitch: rows.columnCount, on: stream)
        try stream.fill(codeBuffer, byte: 0xA5)
        try stream.fill(scaleBuffer, byte: 0xA5)
        try quantizer.launch(
            on: stream, input: input, rowCount: rows.rowCount, encodeScales: encodeScales, codes: codeBuffer,
            scales: scaleBuffer)
        let found = try stream.read(codeBuffer) + stream.read(scaleBuffer)
        return Double(zip(found, codes + scales).count { $0 != $1 })
    }
}

internal import CUDA
internal import CUDAKernels
internal import FP4
internal import Kernels
internal import Models

extension SelfTest {
    func testLinear(_ onResult: (Result) throws -> Void) throws {
        for matrix in linearMatrices() where selection.includes(layerNamed: matrix.name) {
            try compare(matrix, .full, onResult)
            guard case .nvfp4 = matrix.encoding else { continue }
            try compare(matrix, .nvfp4, onResult)
            try compare(matrix.with(inputEncodeScale: 2000), .nvfp4, onResult)
        }
        for encodeScale in [nil, 256 as Float] where selection.includes(layerNamed: "identity") {
            try onResult(
                Result(
                    operation: "linear",
                    name: "w4a4 identity, \(encodeScale == nil ? "computed" : "given") scale, wrong values",
                    error: try countOfWrongRoundings(encodeScale: encodeScale), bound: 0))
        }
    }

    private func linearMatrices() -> [WeightMatrix] {
        let shapes: [(SyntheticWeights.Format, Int, Int)] =
            [(.nvfp4, 208, 176), (.mxfp4, 320, 416), (.bfloat16, 1000, 200)]
            + (selection.isSmall ? [] : [(.nvfp4, 512, 256), (.nvfp4, 96, 4096)])
        let packed = shapes.map { format, rowCount, columnCount in
            SyntheticWeights.matrix(
                "\(format.rawValue) \(rowCount) x \(columnCount)", rowCount: rowCount, columnCount: columnCount,
                format: format, seed: seed)
        }
        return packed + [
            float8Matrix(rowCount: 200, columnCount: 328, scaleCount: 1),
            float8Matrix(rowCount: 328, columnCount: 512, scaleCount: 328),
        ]
    }

    /// Every E4M3 number, in random order.
    private func float8Matrix(rowCount: Int, columnCount: Int, scaleCount: Int) -> WeightMatrix {
        let name = "fp8 \(rowCount) x \(columnCount), \(scaleCount == 1 ? "one scale" : "a scale for each row")"
        var random = random(name)
        let bytes = HostBytes(
            (0..<rowCount * columnCount).map { _ in
                let code = UInt8.random(in: 0...0xFF, using: &random)
                return code & 0x7F == 0x7F ? 0 : code
            })
        // Uniform codes have a root mean square of some 150.
        let scale = 1 / (150 * Float(columnCount).squareRoot())
        return WeightMatrix(
            name: name, rowCount: rowCount, columnCount: columnCount,
            elements: StridedBytes(base: bytes.base, rowStride: columnCount, columnStride: 1),
            encoding: .float8(
                scales: (0..<scaleCount).map { _ in scale * Float.random(in: 0.5...2, using: &random) }),
            onDiscard: { _ = bytes })
    }

    private func compare(
        _ matrix: WeightMatrix, _ precision: ActivationPrecision, _ onResult: (Result) throws -> Void
    ) throws {
        let (rowCount, columnCount) = (matrix.rowCount, matrix.columnCount)
        let layer = try LinearLayer(
            LinearWeights(matrix, loader: loader, on: stream), maximumTokenCount: 700, activationPrecision: precision,
            loader: loader, on: stream)
        let (expanded, workspace) = (ExpandedMatrix(matrix), try LinearWorkspace(for: [layer], on: stream))
        let scale = matrix.inputEncodeScale == nil ? "computed" : "given"
        let name = matrix.name + (precision == .nvfp4 ? ", w4a4, \(scale) scale" : "")
        let counts =
            selection.isSmall ? [1, 9, 33, 129] : [0, 1, 2, 7, 8, 9, 16, 17, 32, 33, 64, 65, 128, 129, 257, 700]
        for tokenCount in counts {
            var random = random("\(name) \(tokenCount)")
            let tokens = Activations(rowCount: tokenCount, columnCount: columnCount, using: &random)
            let residuals = Activations(rowCount: tokenCount, columnCount: rowCount, using: &random)
            let found = try multiply(layer, tokens, residuals, workspace)
            let expected = (0..<tokenCount).flatMap { token in
                let row = Array(tokens.values[token * columnCount..<(token + 1) * columnCount])
                let input = precision == .full ? row : quantizedRow(row, encodeScale: matrix.inputEncodeScale)
                return expanded.multiply(input).enumerated().map { Float($1 + Double(residuals[token, $0])) }
            }
            let error = expected.withUnsafeBufferPointer {
                Deviation.relative(found, pitch: layer.outputPitch, to: $0, columnCount: rowCount)
            }
            try onResult(
                Result(
                    operation: "linear", name: "\(name), \(tokenCount) tokens", error: error, bound: Self.productBound))
        }
    }

    private func multiply(
        _ layer: LinearLayer, _ tokens: Activations, _ residuals: Activations?, _ workspace: LinearWorkspace
    ) throws -> [UInt16] {
        let input = try DeviceBuffer<UInt16>(loader.context, count: tokens.rowCount * layer.inputPitch)
        let output = try DeviceBuffer<UInt16>(loader.context, count: tokens.rowCount * layer.outputPitch)
        try tokens.copy(to: input, pitch: layer.inputPitch, on: stream)
        try stream.fill(output, byte: 0xFF)
        try residuals?.copy(to: output, pitch: layer.outputPitch, on: stream)
        try layer.enqueue(
            tokenCount: tokens.rowCount, input: input, residual: residuals == nil ? nil : output, output: output,
            workspace: workspace, on: stream)
        return try stream.read(output)
    }

    /// How many values are not those of the CPU, bit for bit.
    ///
    /// The matrix is the identity, so that the output is the rounded input. Scales are powers of two, with which values are exact in BF16.
    private func countOfWrongRoundings(encodeScale: Float?) throws -> Double {
        let size = 512
        let matrix = Self.identity(size).with(inputEncodeScale: encodeScale)
        let layer = try LinearLayer(
            LinearWeights(matrix, loader: loader, on: stream), maximumTokenCount: 128, activationPrecision: .nvfp4,
            loader: loader, on: stream)
        var random = random("w4a4 identity")
        var tokens = Activations(rowCount: 128, columnCount: size, using: &random)
        for token in 0..<tokens.rowCount {
            // Blocks of all sizes, down to those whose scale is zero.
            for column in 0..<size {
                let power = Float(sign: .plus, exponent: -(column / 16 + token) % 24, significand: 1)
                tokens[token, column] = Float(BFloat16(8 * tokens[token, column] * power))
            }
            // The largest value: the encode scale of the row is 2688 / 10.5 = 256.
            tokens[token, token] = 10.5
        }
        let found = try multiply(layer, tokens, nil, LinearWorkspace(for: [layer], on: stream))
        var wrong = 0
        for token in 0..<tokens.rowCount {
            let row = quantizedRow(Array(tokens.values[token * size..<(token + 1) * size]), encodeScale: encodeScale)
            for column in 0..<size {
                // A sum with zeros has no negative zero.
                wrong += Float(BFloat16(bits: found[token * layer.outputPitch + column])) == row[column] ? 0 : 1
            }
        }
        return Double(wrong)
    }

    private static func identity(_ size: Int) -> WeightMatrix {
        var codes = [UInt8](repeating: 0, count: size * size / 2)
        // 2 is 1.
        for row in 0..<size { codes[(row * size + row) / 2] = row % 2 == 0 ? 0x02 : 0x20 }
        let bytes = HostBytes(codes)
        let scales = HostBytes([UInt8](repeating: E4M3.one.bits, count: size * size / 16))
        return WeightMatrix(
            name: "identity", rowCount: size, columnCount: size,
            elements: StridedBytes(base: bytes.base, rowStride: size / 2, columnStride: 1),
            encoding: .nvfp4(
                blockScales: StridedBytes(base: scales.base, rowStride: size / 16, columnStride: 1), globalScale: 1),
            onDiscard: { _ = (bytes, scales) })
    }
}

/// Bytes that stay where they are.
private final class HostBytes: @unchecked Sendable {
    let base: UnsafeRawPointer
    private let bytes: UnsafeMutableRawBufferPointer

    init(_ values: [UInt8]) {
        bytes = .allocate(byteCount: max(1, values.count), alignment: 64)
        bytes.copyBytes(from: values)
        base = bytes.baseAddress.map { UnsafeRawPointer($0) } ?? UnsafeRawPointer(bitPattern: 64).unsafelyUnwrapped
    }

    deinit { bytes.deallocate() }
}

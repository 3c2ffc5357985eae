import Kernels
import ModelFiles

/// One projection of all experts of a layer in 3-D tensors; see TensorReader+Experts for the layouts.
struct FusedExperts {
    /// Some outputs of an expert's matrix: those of gate, of up, or all.
    struct Rows {
        let first: Int
        let step: Int
        let count: Int
        /// 0 for gate, 1 for up, where the two have global scales of their own.
        let half: Int

        /// These entries of a list over all outputs.
        func select(_ values: [Float]) -> [Float] { (0..<count).map { values[first + $0 * step] } }
    }

    /// A 3-D tensor: where an expert's entry (output, column) lies.
    private struct Slices {
        let tensor: TensorView
        let expertStride: Int
        let rowStride: Int
        let columnStride: Int

        func strided(_ expert: Int, _ rows: Rows) -> StridedBytes {
            tensor.strided(
                from: expert * expertStride + rows.first * rowStride, rowStride: rows.step * rowStride,
                columnStride: columnStride)
        }
    }

    private enum Storage {
        case dense(WeightMatrix.Encoding)
        /// Global scales by expert and half.
        case nvfp4(Slices, globalScales: [[Float]], inputEncodeScales: [Float]?)
        case mxfp4(Slices)
    }

    private let name: String
    private let inputSize: Int
    private let elements: Slices
    private let storage: Storage

    /// Reads the descriptions of the tensors `name…` for `count` experts of `[outputSize, inputSize]`.
    init(
        _ reader: TensorReader, _ name: String, count: Int, outputSize: Int, inputSize: Int
    ) throws {
        self.name = name
        self.inputSize = inputSize
        let checkpoint = reader.checkpoint
        if let blocks = try checkpoint.tensor(ifPresent: name + "_blocks") {
            let scales = try checkpoint.tensor(named: name + "_scales")
            guard try reader.blockSize(scales, columnCount: inputSize) == 32 else {
                throw scales.error(.mismatched, "expected U8 scales beside blocks, found F8_E4M3")
            }
            try blocks.expect(type: .u8)
            try blocks.expect(shape: [count, outputSize, inputSize / 32, 16])
            try scales.expect(shape: [count, outputSize, inputSize / 32])
            elements = Self.inputsLast(blocks, outputSize: outputSize, width: inputSize / 2)
            storage = .mxfp4(Self.inputsLast(scales, outputSize: outputSize, width: inputSize / 32))
            return
        }
        let weight = try checkpoint.tensor(named: name)
        guard let scales = try checkpoint.tensor(ifPresent: name + "_weight_scale") else {
            storage = .dense(try reader.denseEncoding(weight))
            try weight.expect(shape: [count, inputSize, outputSize])
            elements = Self.outputsLast(weight, outputSize: outputSize, height: inputSize)
            return
        }
        guard scales.elementType != .u8 else {
            throw scales.error(
                .unsupported,
                "MXFP4 blocks along the outputs of fused experts, as ModelOpt exports them, cannot be multiplied; "
                    + "quantize the original with nibble quantize, which makes them modules")
        }
        try scales.expect(type: .f8E4M3)
        let blockSize = try reader.blockSize(scales, columnCount: inputSize)
        try weight.expect(type: .u8)
        try weight.expect(shape: [count, inputSize / 2, outputSize])
        try scales.expect(shape: [count, inputSize / blockSize, outputSize])
        elements = Self.outputsLast(weight, outputSize: outputSize, height: inputSize / 2)
        storage = .nvfp4(
            Self.outputsLast(scales, outputSize: outputSize, height: inputSize / blockSize),
            globalScales: try Self.scales(
                reader, try checkpoint.tensor(named: name + "_weight_scale_2"), count: count),
            inputEncodeScales: try checkpoint.tensor(ifPresent: name + "_input_scale").map {
                try Self.scales(reader, $0, count: count).map { 1 / $0[0] }
            })
    }

    /// The matrix of some outputs of an expert.
    func matrix(_ expert: Int, _ rows: Rows) -> WeightMatrix {
        let encoding: WeightMatrix.Encoding
        var inputEncodeScale: Float?
        switch storage {
        case .dense(let dense): encoding = dense
        case .nvfp4(let blockScales, let globalScales, let inputEncodeScales):
            encoding = .nvfp4(
                blockScales: blockScales.strided(expert, rows), globalScale: globalScales[expert][rows.half])
            inputEncodeScale = inputEncodeScales?[expert]
        case .mxfp4(let blockScales):
            encoding = .mxfp4(blockScales: blockScales.strided(expert, rows))
        }
        return WeightMatrix(
            name: "\(name)[\(expert)]", rowCount: rows.count, columnCount: inputSize,
            elements: elements.strided(expert, rows), encoding: encoding, inputEncodeScale: inputEncodeScale)
    }

    private static func inputsLast(_ tensor: TensorView, outputSize: Int, width: Int) -> Slices {
        Slices(tensor: tensor, expertStride: outputSize * width, rowStride: width, columnStride: 1)
    }

    private static func outputsLast(_ tensor: TensorView, outputSize: Int, height: Int) -> Slices {
        let elementSize = tensor.elementType.bitCount / 8
        return Slices(
            tensor: tensor, expertStride: height * outputSize * elementSize, rowStride: elementSize,
            columnStride: outputSize * elementSize)
    }

    /// Scales by expert and half from a tensor of shape `[]`, `[1]`, `[E]` or `[E, 2]`.
    private static func scales(
        _ reader: TensorReader, _ tensor: TensorView, count: Int
    ) throws -> [[Float]] {
        let values = try reader.floats(tensor)
        guard values.allSatisfy({ $0.isFinite && $0 > 0 }) else {
            throw tensor.error(.mismatched, "expected scales that are finite and positive")
        }
        switch tensor.shape {
        case [], [1]: return Array(repeating: [values[0], values[0]], count: count)
        case [count]: return values.map { [$0, $0] }
        case [count, 2]: return (0..<count).map { [values[2 * $0], values[2 * $0 + 1]] }
        default:
            throw tensor.error(
                .mismatched, "expected shape [], [\(count)] or [\(count), 2], found \(tensor.shape)")
        }
    }
}

import Kernels
import ModelFiles

// Linear modules, one matrix a module:
//
//   plain               <name>.weight                 F32, F16 or BF16 [out, in]
//   ModelOpt            <name>.weight                 U8 [out, in / 2]
//                       <name>.weight_scale           NVFP4: F8_E4M3 [out, in / 16], MXFP4: U8 [out, in / 32]
//                       <name>.weight_scale_2         NVFP4: F32, a multiplier
//                       <name>.input_scale            F32, a multiplier, absent without W4A4
//   compressed-tensors  <name>.weight_packed          U8 [out, in / 2]
//                       <name>.weight_scale           as above
//                       <name>.weight_global_scale    NVFP4: F32, a divisor
//                       <name>.input_global_scale     F32, a divisor, absent without W4A4
extension TensorReader {
    /// The weight of a linear module.
    func matrix(_ linear: LinearSpecification) throws -> WeightMatrix {
        if let codes = try checkpoint.tensor(ifPresent: linear.name + ".weight_packed") {
            return try packedMatrix(codes, linear, scales: compressedTensorsScales(linear.name))
        }
        let weight = try checkpoint.tensor(named: linear.name + ".weight")
        if checkpoint.hasTensor(named: linear.name + ".pre_quant_scale") {
            throw weight.error(.unsupported, "AWQ checkpoints (with pre_quant_scale) are not supported")
        }
        guard checkpoint.hasTensor(named: linear.name + ".weight_scale") else {
            return try denseMatrix(weight, linear)
        }
        return try packedMatrix(weight, linear, scales: modelOptScales(linear.name))
    }

    /// The scales of a packed matrix besides its block scales.
    private struct GlobalScales {
        /// What multiplies an NVFP4 matrix; nil for MXFP4.
        var weight: Float?
        /// The encode scale of its input under W4A4.
        var input: Float?
    }

    private func modelOptScales(_ name: String) throws -> GlobalScales {
        GlobalScales(
            weight: try checkpoint.tensor(ifPresent: name + ".weight_scale_2").map(scale),
            input: try checkpoint.tensor(ifPresent: name + ".input_scale").map(reciprocal))
    }

    private func compressedTensorsScales(_ name: String) throws -> GlobalScales {
        GlobalScales(
            weight: try checkpoint.tensor(ifPresent: name + ".weight_global_scale").map(reciprocal),
            input: try checkpoint.tensor(ifPresent: name + ".input_global_scale").map(scale))
    }

    private func denseMatrix(
        _ weight: TensorView, _ linear: LinearSpecification
    ) throws -> WeightMatrix {
        let encoding = try denseEncoding(weight)
        try weight.expect(shape: [linear.outputSize, linear.inputSize])
        let elementSize = weight.elementType.bitCount / 8
        return WeightMatrix(
            name: weight.name, rowCount: linear.outputSize, columnCount: linear.inputSize,
            elements: weight.strided(rowStride: linear.inputSize * elementSize, columnStride: elementSize),
            encoding: encoding)
    }

    private func packedMatrix(
        _ codes: TensorView, _ linear: LinearSpecification, scales global: GlobalScales
    ) throws -> WeightMatrix {
        let (rowCount, columnCount) = (linear.outputSize, linear.inputSize)
        try codes.expect(type: .u8)
        try codes.expect(shape: [rowCount, columnCount / 2])
        let scales = try checkpoint.tensor(named: linear.name + ".weight_scale")
        let blockSize = try blockSize(scales, columnCount: columnCount)
        try scales.expect(shape: [rowCount, columnCount / blockSize])
        let blockScales = scales.strided(rowStride: columnCount / blockSize, columnStride: 1)
        let encoding: WeightMatrix.Encoding
        if blockSize == 16 {
            guard let globalScale = global.weight else {
                throw codes.error(.missing, "an NVFP4 weight needs weight_scale_2 or weight_global_scale")
            }
            encoding = .nvfp4(blockScales: blockScales, globalScale: globalScale)
        } else {
            encoding = .mxfp4(blockScales: blockScales)
        }
        return WeightMatrix(
            name: codes.name, rowCount: rowCount, columnCount: columnCount,
            elements: codes.strided(rowStride: columnCount / 2, columnStride: 1), encoding: encoding,
            inputEncodeScale: global.input)
    }

    /// The type of a plain weight.
    func denseEncoding(_ weight: TensorView) throws -> WeightMatrix.Encoding {
        switch weight.elementType {
        case .f32: .float32
        case .f16: .float16
        case .bf16: .bfloat16
        default:
            throw weight.error(
                .unsupported,
                "expected F32, F16, BF16, or U8 with block scales, found \(weight.elementType.rawValue) without"
                    + " block scales")
        }
    }

    /// 16 for NVFP4 and 32 for MXFP4, by the type of the block scales.
    func blockSize(_ scales: TensorView, columnCount: Int) throws -> Int {
        let size: Int
        switch scales.elementType {
        case .f8E4M3: size = 16
        case .u8, .f8E8M0: size = 32
        default:
            throw scales.error(
                .unsupported,
                "expected F8_E4M3 (NVFP4) or U8 (MXFP4) block scales, found \(scales.elementType.rawValue)")
        }
        guard columnCount.isMultiple(of: size) else {
            throw scales.error(.mismatched, "\(columnCount) inputs are not a multiple of the block of \(size)")
        }
        return size
    }

    /// The reciprocal of a scale that is stored as its counterpart, so must not be zero.
    func reciprocal(_ tensor: TensorView) throws -> Float {
        let value = 1 / (try scale(tensor))
        guard value.isFinite, value > 0 else {
            throw tensor.error(.mismatched, "expected a scale with a finite reciprocal")
        }
        return value
    }
}

extension TensorView {
    /// Throws unless the tensor has this shape.
    func expect(shape expected: [Int]) throws {
        guard shape == expected else { throw error(.mismatched, "expected shape \(expected), found \(shape)") }
    }

    /// Throws unless the tensor has this type.
    func expect(type expected: ElementType) throws {
        guard elementType == expected else {
            throw error(.mismatched, "expected \(expected.rawValue), found \(elementType.rawValue)")
        }
    }

    /// The bytes from `offset` on as a strided matrix; the caller has checked the shape.
    func strided(from offset: Int = 0, rowStride: Int, columnStride: Int) -> StridedBytes {
        // An empty tensor has no address; its matrix has no entry that would be read.
        let base = bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 1)
        return StridedBytes(
            base: base.unsafelyUnwrapped + offset, rowStride: rowStride, columnStride: columnStride, pages: file)
    }
}

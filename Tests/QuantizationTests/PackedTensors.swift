import FP4
import ModelFiles

/// The tensors of a written checkpoint, expanded by tables and formulas of their own, not by `FP4`.
struct PackedTensors {
    let checkpoint: Checkpoint

    init(_ path: String) throws { checkpoint = try Checkpoint(path: path) }

    /// Type and shape of every tensor.
    var declarations: [String: String] {
        Dictionary(uniqueKeysWithValues: checkpoint.tensors.map { ($0.name, "\($0.elementType.rawValue) \($0.shape)") })
    }

    func bytes(_ name: String) throws -> [UInt8] {
        try checkpoint.tensor(named: name).withBytes { Array($0) }
    }

    func floats(_ name: String) throws -> [Float] {
        let tensor = try checkpoint.tensor(named: name)
        return tensor.withBytes { bytes in
            (0..<tensor.elementCount).map { index in
                switch tensor.elementType {
                case .bf16:
                    Float(bitPattern: UInt32(bytes.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)) << 16)
                case .f16: Float(FP16(bits: bytes.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)))
                default: bytes.loadUnaligned(fromByteOffset: 4 * index, as: Float.self)
                }
            }
        }
    }

    /// An NVFP4 matrix `[out, in]` of either layout.
    func nvfp4(_ module: String) throws -> [Float] {
        let isModelOpt = checkpoint.hasTensor(named: module + ".weight")
        let scale =
            isModelOpt
            ? try floats(module + ".weight_scale_2")[0] : 1 / (try floats(module + ".weight_global_scale")[0])
        let scales = try bytes(module + ".weight_scale")
        let values = try codes(module + (isModelOpt ? ".weight" : ".weight_packed"))
        return values.enumerated().map { $1 * (Self.e4m3(scales[$0 / 16]) * scale) }
    }

    /// An MXFP4 matrix `[out, in]` of either layout.
    func mxfp4(_ module: String) throws -> [Float] {
        let scales = try bytes(module + ".weight_scale")
        let isModelOpt = checkpoint.hasTensor(named: module + ".weight")
        return try codes(module + (isModelOpt ? ".weight" : ".weight_packed")).enumerated().map { index, value in
            let exponent = Int(scales[index / 32]) - 127
            return Float(sign: .plus, exponent: exponent, significand: value)
        }
    }

    /// ModelOpt's fused experts, `[E, in, out]`.
    func nvfp4Experts(_ name: String) throws -> [Float] {
        let shape = try checkpoint.tensor(named: name).shape
        let (pairCount, outputSize) = (shape[1], shape[2])
        let packed = try bytes(name)
        let scales = try bytes(name + "_weight_scale")
        let scale = try floats(name + "_weight_scale_2")[0]
        return (0..<packed.count * 2).map { index in
            let (row, output) = index.quotientAndRemainder(dividingBy: outputSize)
            let (expert, input) = row.quotientAndRemainder(dividingBy: 2 * pairCount)
            let byte = packed[(expert * pairCount + input / 2) * outputSize + output]
            let block = scales[(expert * pairCount / 8 + input / 16) * outputSize + output]
            return Self.e2m1(input % 2 == 0 ? byte & 15 : byte >> 4) * (Self.e4m3(block) * scale)
        }
    }

    private func codes(_ name: String) throws -> [Float] {
        try bytes(name).flatMap { [Self.e2m1($0 & 15), Self.e2m1($0 >> 4)] }
    }

    private static func e2m1(_ code: UInt8) -> Float {
        let magnitude: Float = [0, 0.5, 1, 1.5, 2, 3, 4, 6][Int(code & 7)]
        return code < 8 ? magnitude : -magnitude
    }

    private static func e4m3(_ code: UInt8) -> Float {
        let (exponent, significand) = (Int(code >> 3), Float(code & 7))
        return exponent == 0
            ? significand / 512 : Float(sign: .plus, exponent: exponent - 7, significand: 1 + significand / 8)
    }
}

/// The root mean square of the differences over that of the values.
func relativeError(_ values: [Float], _ reference: [Float]) -> Float {
    guard values.count == reference.count else { return .infinity }
    let error = zip(values, reference).reduce(Float(0)) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    return (error / reference.reduce(0) { $0 + $1 * $1 }).squareRoot()
}

import FP4
import Kernels
import ModelFiles

/// Reads the weights that a specification names out of a checkpoint, whatever published layout it has.
///
/// A module is quantized if its packed tensors are there; the lists in the configuration are not asked, as published
/// lists are incomplete. `TensorReader+Linear` and `TensorReader+Experts` hold the layouts.
struct TensorReader: WeightSource {
    let checkpoint: Checkpoint

    /// The bytes of a linear module's weight.
    func byteCount(of linear: LinearSpecification) throws -> Int { try matrix(linear).byteCount }

    /// The bytes of a dense layer's, a shared expert's, or one expert's weights.
    func byteCount(of expert: ExpertSpecification) throws -> Int {
        try byteCount(of: expert.gate) + byteCount(of: expert.up) + byteCount(of: expert.down)
    }

    /// The bytes of one expert's weights.
    func byteCount(ofOneOf experts: ExpertsSpecification) throws -> Int {
        guard let expert = try self.experts(experts).first else { return 0 }
        return expert.gate.byteCount + expert.up.byteCount + expert.down.byteCount
    }

    /// A tensor with the given shape.
    func tensor(_ name: String, shape: [Int]) throws -> TensorView {
        let tensor = try checkpoint.tensor(named: name)
        guard tensor.shape == shape else {
            throw tensor.error(.mismatched, "expected shape \(shape), found \(tensor.shape)")
        }
        return tensor
    }

    /// A small weight `[count]` as float32.
    func vector(_ name: String, count: Int) throws -> [Float] {
        try floats(try tensor(name, shape: [count]))
    }

    /// The bias of a linear module, nil if it has none.
    ///
    /// - Throws: ``ModelFileError`` also for a bias that the configuration does not announce, which would be ignored.
    func bias(_ linear: LinearSpecification) throws -> [Float]? {
        let name = linear.name + ".bias"
        if linear.hasBias { return try vector(name, count: linear.outputSize) }
        if let unexpected = try checkpoint.tensor(ifPresent: name) {
            throw unexpected.error(.mismatched, "the configuration says that this module has no bias")
        }
        return nil
    }

    /// A scalar, stored as `[]` or `[1]`, finite and not negative.
    func scale(_ tensor: TensorView) throws -> Float {
        guard tensor.elementCount == 1 else {
            throw tensor.error(.mismatched, "expected one value, found shape \(tensor.shape)")
        }
        let value = try floats(tensor)[0]
        guard value.isFinite, value >= 0 else {
            throw tensor.error(.mismatched, "expected a finite scale that is not negative, found \(value)")
        }
        return value
    }

    /// The elements of a small tensor of any floating-point type as float32.
    func floats(_ tensor: TensorView) throws -> [Float] {
        let bytes = tensor.bytes
        switch tensor.elementType {
        case .f32:
            return (0..<tensor.elementCount).map {
                Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)))
            }
        case .bf16:
            return (0..<tensor.elementCount).map {
                let bits = UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self))
                return Float(BFloat16(bits: bits))
            }
        case .f16:
            return (0..<tensor.elementCount).map {
                let bits = UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self))
                return Float(FP16(bits: bits))
            }
        default:
            throw tensor.error(
                .unsupported, "expected F32, BF16 or F16, found \(tensor.elementType.rawValue)")
        }
    }
}

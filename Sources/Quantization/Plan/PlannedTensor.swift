import ModelFiles

/// Something that is written into the new checkpoint.
enum PlannedTensor {
    /// A tensor as it is.
    case copy(TensorView)
    /// Some elements of a tensor, at equal distances, under a new name.
    case slice(name: String, TensorView, first: Int, stride: Int, count: Int)
    /// The global scale of a weight.
    case globalScale(SafeTensorsWriter.Declaration, ScaleGroup)
    /// The codes of a weight, and its block scales after them.
    case packed(PackedWeight)

    /// The tensors of the file, in the order of their bytes.
    var declarations: [SafeTensorsWriter.Declaration] {
        switch self {
        case .copy(let tensor): [.init(name: tensor.name, elementType: tensor.elementType, shape: tensor.shape)]
        case .slice(let name, let tensor, _, _, let count):
            [.init(name: name, elementType: tensor.elementType, shape: [count])]
        case .globalScale(let declaration, _): [declaration]
        case .packed(let weight): [weight.codes, weight.scales]
        }
    }

    /// The multiple of bytes at which readers expect it.
    var alignment: Int {
        switch self {
        case .copy(let tensor), .slice(_, let tensor, _, _, _): max(1, tensor.elementSize)
        case .globalScale: 4
        case .packed: 1
        }
    }

    /// Bytes of the source that writing it reads.
    var sourceByteCount: Int {
        switch self {
        case .copy(let tensor): tensor.byteRange.count
        case .slice(_, let tensor, _, _, let count): count * tensor.elementSize
        case .globalScale: 0
        case .packed(let weight): weight.view.byteCount
        }
    }
}

/// How the weights of experts and linear layers are stored, in a checkpoint and in slabs (`common/tiles.cuh`).
public enum WeightFormat: String, Sendable, CaseIterable {
    /// E2M1 codes with an E4M3 scale for 16 columns and a global scale for a matrix.
    case nvfp4
    /// E2M1 codes with an E8M0 scale for 32 columns.
    case mxfp4
    /// bfloat16.
    case bfloat16
    /// E4M3 bytes with a scale for a matrix or for each row; linear layers only.
    case float8

    /// The columns that share a block scale; nil without block scales.
    public var blockSize: Int? {
        switch self {
        case .nvfp4: 16
        case .mxfp4: 32
        case .bfloat16, .float8: nil
        }
    }

    /// Whether elements are codes of 4 bits: those that have block scales.
    var isFP4: Bool { blockSize != nil }

    /// The bytes of a slab of 64 rows and 64 columns.
    var slabByteCount: Int {
        switch self {
        case .nvfp4: 4 * 576
        case .mxfp4: 4 * 544
        case .bfloat16: 4 * 2048
        case .float8: 4 * 1024
        }
    }

    /// The device files' name of it.
    var deviceName: String {
        switch self {
        case .nvfp4: "NVFP4"
        case .mxfp4: "MXFP4"
        case .bfloat16: "BF16"
        case .float8: "FP8"
        }
    }
}

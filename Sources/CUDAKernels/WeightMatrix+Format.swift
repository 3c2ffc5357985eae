internal import Kernels

extension WeightMatrix {
    /// Its format, if kernels read it.
    var format: WeightFormat? {
        switch encoding {
        case .nvfp4: .nvfp4
        case .mxfp4: .mxfp4
        case .bfloat16: .bfloat16
        case .float8: .float8
        case .float16, .float32: nil
        }
    }

    /// The block scales of a packed matrix.
    var blockScales: StridedBytes? {
        switch encoding {
        case .nvfp4(let scales, _), .mxfp4(let scales): scales
        case .float32, .float16, .bfloat16, .float8: nil
        }
    }

    /// What all its products are multiplied by.
    var globalScale: Float {
        switch encoding {
        case .nvfp4(_, let scale): scale
        case .float8(let scales) where scales.count == 1: scales[0]
        case .mxfp4, .float32, .float16, .bfloat16, .float8: 1
        }
    }

    /// What the products of each row are multiplied by; nil if that is the same for all.
    var rowScales: [Float]? {
        if case .float8(let scales) = encoding, scales.count != 1 { scales } else { nil }
    }

    /// Whether one description of strides serves both matrices.
    func hasStrides(of other: WeightMatrix) -> Bool {
        elements.rowStride == other.elements.rowStride && elements.columnStride == other.elements.columnStride
            && blockScales?.rowStride == other.blockScales?.rowStride
            && blockScales?.columnStride == other.blockScales?.columnStride
    }
}

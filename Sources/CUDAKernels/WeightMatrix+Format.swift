internal import Kernels

extension WeightMatrix {
    /// Its format, if kernels read it.
    var format: WeightFormat? {
        switch encoding {
        case .nvfp4: .nvfp4
        case .mxfp4: .mxfp4
        case .bfloat16: .bfloat16
        case .float16, .float32: nil
        }
    }

    /// The block scales of a packed matrix.
    var blockScales: StridedBytes? {
        switch encoding {
        case .nvfp4(let scales, _), .mxfp4(let scales): scales
        case .float32, .float16, .bfloat16: nil
        }
    }

    /// What all its products are multiplied by.
    var globalScale: Float { if case .nvfp4(_, let scale) = encoding { scale } else { 1 } }

    /// Whether one description of strides serves both matrices.
    func hasStrides(of other: WeightMatrix) -> Bool {
        elements.rowStride == other.elements.rowStride && elements.columnStride == other.elements.columnStride
            && blockScales?.rowStride == other.blockScales?.rowStride
            && blockScales?.columnStride == other.blockScales?.columnStride
    }
}

import FP4
import ModelFiles

/// A weight of the new checkpoint: its tensors, and where its values come from.
struct PackedWeight {
    typealias Declaration = SafeTensorsWriter.Declaration

    let view: WeightView
    let scheme: QuantizationScheme
    /// Whether blocks run down the columns of the view, as in ModelOpt's fused experts.
    let blocksRunDown: Bool
    /// The weights of one group share their global scale.
    let scaleGroup: ScaleGroup
    /// Two codes a byte.
    let codes: Declaration
    /// The block scales.
    let scales: Declaration
    /// NVFP4's scale of the tensor.
    let globalScale: Declaration?

    /// A linear module `[out, in]` with blocks along the rows of a view.
    init(module: String, view: WeightView, scheme: QuantizationScheme, scaleGroup: ScaleGroup) {
        self.view = view
        self.scaleGroup = scaleGroup
        self.scheme = scheme
        blocksRunDown = false
        let isModelOpt = scheme.layout == .modelOpt
        codes = Declaration(
            name: module + (isModelOpt ? ".weight" : ".weight_packed"), elementType: .u8,
            shape: [view.rowCount, view.columnCount / 2])
        let scaleShape = [view.rowCount, view.columnCount / scheme.format.blockSize]
        switch scheme.format {
        case .nvfp4:
            scales = Declaration(name: module + ".weight_scale", elementType: .f8E4M3, shape: scaleShape)
            globalScale = Declaration(
                name: module + (isModelOpt ? ".weight_scale_2" : ".weight_global_scale"), elementType: .f32,
                shape: isModelOpt ? [] : [1])
        case .mxfp4:
            scales = Declaration(name: module + ".weight_scale", elementType: .u8, shape: scaleShape)
            globalScale = nil
        }
    }

    /// All experts of a layer in ModelOpt's layout: NVFP4 `[E, in, out]` with blocks along `in`.
    init(fusedExperts tensor: TensorView, scaleGroup: ScaleGroup) {
        view = WeightView(tensor)
        scheme = QuantizationScheme(format: .nvfp4, layout: .modelOpt)
        blocksRunDown = true
        self.scaleGroup = scaleGroup
        let (expertCount, inputSize, outputSize) = (tensor.shape[0], tensor.shape[1], tensor.shape[2])
        codes = Declaration(name: tensor.name, elementType: .u8, shape: [expertCount, inputSize / 2, outputSize])
        scales = Declaration(
            name: tensor.name + "_weight_scale", elementType: .f8E4M3,
            shape: [expertCount, inputSize / NVFP4.blockSize, outputSize])
        globalScale = Declaration(name: tensor.name + "_weight_scale_2", elementType: .f32, shape: [])
    }

    /// How many rows of the view are quantized at a time; always whole blocks.
    func chunkRowCount(elementCount: Int) -> Int {
        let unit = blocksRunDown ? scheme.format.blockSize : 1
        return max(1, elementCount / view.columnCount / unit) * unit
    }

    /// Quantizes some rows of the view.
    ///
    /// - Parameters:
    ///   - values: the rows.
    ///   - globalScale: the multiplier of NVFP4; MXFP4 has none.
    ///   - codes: receives half a byte a value.
    ///   - scales: receives a byte a block.
    func quantize(
        _ values: UnsafeBufferPointer<Float>, globalScale: Float, codes: UnsafeMutableRawBufferPointer,
        scales: UnsafeMutableRawBufferPointer
    ) {
        switch scheme.format {
        case .mxfp4:
            let rule: MXFP4.Rule = scheme.layout == .modelOpt ? .modelOpt : .compressedTensors
            MXFP4.quantize(weights: values, rule: rule, codes: codes, scales: scales)
        case .nvfp4 where blocksRunDown:
            NVFP4.quantize(
                transposedWeights: values, columnCount: view.columnCount, globalScale: globalScale, codes: codes,
                scales: scales)
        case .nvfp4:
            NVFP4.quantize(weights: values, globalScale: globalScale, codes: codes, scales: scales)
        }
    }
}

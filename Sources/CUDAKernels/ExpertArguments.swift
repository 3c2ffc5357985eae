internal import CUDA

/// What both backends' kernels are told of a layer's experts besides their matrices.
protocol ExpertArguments {
    /// Global scales: of gate and up `[E, 2]`, of down `[E]`.
    var upScales: UInt64 { get set }
    var downScales: UInt64 { get set }
    /// BF16: of gate and up `[E, 2, hiddenPitch]`, of down `[E, outputs]`; 0 for none.
    var upBiases: UInt64 { get set }
    var downBiases: UInt64 { get set }
    /// Of the clamped activation.
    var limit: Float { get set }
    var slope: Float { get set }
}

extension MoEStream.Arguments: ExpertArguments {}
extension MoEGemm.Arguments: ExpertArguments {}

extension ExpertArguments {
    /// Says what experts have.
    ///
    /// - Parameter scales: their global scales, if others than those of the weights.
    mutating func describe(
        _ weights: MoEWeights, scales: ExpertInputScales.OnDevice? = nil, of configuration: MoEConfiguration
    ) {
        upScales = (scales?.upFactors ?? weights.upScales).address
        downScales = (scales?.downFactors ?? weights.downScales).address
        if configuration.hasBiases {
            upBiases = weights.upBiases.address
            downBiases = weights.downBiases.address
        }
        (limit, slope) = configuration.activation.constants
    }
}

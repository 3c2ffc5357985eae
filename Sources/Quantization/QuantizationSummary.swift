/// What a quantization changes.
public struct QuantizationSummary: Sendable, Equatable {
    /// A module whose inputs are not a multiple of the block size, so that it keeps its precision.
    public struct UnalignedModule: Sendable, Equatable {
        /// The name of the module.
        public let name: String
        /// Its number of inputs.
        public let inputSize: Int
    }

    /// The modules whose weights are quantized, in ascending order; of fused experts, their common module.
    public internal(set) var quantizedModules: [String] = []
    /// The modules with a matrix for a weight that keep their precision, in ascending order.
    public internal(set) var keptModules: [String] = []
    /// Those of ``keptModules`` that would be quantized if their size allowed it.
    public internal(set) var unalignedModules: [UnalignedModule] = []
    /// The globs of those that were asked to be excluded that match no module.
    public internal(set) var unmatchedExclusions: [String] = []
    /// Bytes of all tensors before.
    public internal(set) var sourceByteCount = 0
    /// Bytes of all tensors after.
    public internal(set) var byteCount = 0
}

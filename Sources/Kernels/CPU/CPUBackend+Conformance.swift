extension CPUBackend: Backend {
    /// Float32 rows.
    public typealias Activations = CPUActivations
    /// Float32 values.
    public typealias Vector = CPUVector
    /// Packed matrices.
    public typealias Linear = CPULinear
    /// Packed matrices of each expert.
    public typealias FeedForward = CPUFeedForward
    /// Float32 keys and values in blocks.
    public typealias KeyValueCache = CPUKeyValueCache
}

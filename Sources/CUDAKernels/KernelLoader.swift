public import CUDA

/// What it takes to have a kernel on a GPU: the GPU, the text, and the compiler with its cache.
public struct KernelLoader: Sendable {
    /// The GPU.
    public let context: Context
    /// The text of the kernels.
    public let sources: KernelSources
    /// Compiles and keeps them.
    public let cache: KernelCache

    /// Groups a GPU, the kernels' text and a cache.
    public init(_ context: Context, sources: KernelSources = .embedded, cache: KernelCache) {
        self.context = context
        self.sources = sources
        self.cache = cache
    }
}

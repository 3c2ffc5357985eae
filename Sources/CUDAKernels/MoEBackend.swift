/// How the experts of a layer are computed.
public enum MoEBackend: String, Sendable, CaseIterable {
    /// For each number of tokens the kernel that is fastest.
    case auto
    /// The streaming kernel, which keeps every byte of memory bandwidth busy: few tokens an expert.
    case latency
    /// The grouped matrix product, which keeps the tensor cores busy: many tokens an expert.
    case throughput
}

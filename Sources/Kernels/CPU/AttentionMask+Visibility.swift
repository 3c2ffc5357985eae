extension AttentionMask {
    /// The first key that a query at a position sees; it sees all from there to its own position.
    package func firstVisibleKey(at position: Int) -> Int {
        switch self {
        case .causal: 0
        case .slidingWindow(let window): max(0, position - window + 1)
        case .chunked(let chunk): position / chunk * chunk
        }
    }
}

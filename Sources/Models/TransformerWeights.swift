public import Kernels

/// The weights of a model in a backend's arrangement.
public struct TransformerWeights<B: Backend> {
    /// The weights of one layer.
    struct Layer {
        let attentionNorm: B.Vector
        /// Query, key and value projections as one.
        let projections: B.Linear
        let attention: Attention<B.Vector>
        let attentionOutput: B.Linear
        let feedForwardNorm: B.Vector
        let feedForward: FeedForward
    }

    /// The weights of a layer's feed-forward part.
    enum FeedForward {
        case dense(B.FeedForward)
        case mixture(router: B.Linear, routing: Routing, experts: B.FeedForward, shared: B.FeedForward?)
    }

    let embedding: B.Linear
    let layers: [Layer]
    let finalNorm: B.Vector
    let head: B.Linear
}

public import Kernels

/// The weights of a model in a backend's arrangement.
public struct TransformerWeights<B: Backend> {
    /// The weights of one layer: an object, since a copy of all that it refers to takes as long as a norm.
    final class Layer {
        let attentionNorm: B.Vector
        /// Query, key and value projections as one.
        let projections: B.Linear
        let attention: Attention<B.Vector>
        let attentionOutput: B.Linear
        let feedForwardNorm: B.Vector
        let feedForward: FeedForward

        init(
            attentionNorm: B.Vector, projections: B.Linear, attention: Attention<B.Vector>, attentionOutput: B.Linear,
            feedForwardNorm: B.Vector, feedForward: FeedForward
        ) {
            self.attentionNorm = attentionNorm
            self.projections = projections
            self.attention = attention
            self.attentionOutput = attentionOutput
            self.feedForwardNorm = feedForwardNorm
            self.feedForward = feedForward
        }
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

extension TransformerWeights<CPUBackend> {
    /// Where all matrices lie.
    public var memory: WeightMemory {
        var memory = WeightMemory()
        memory.add(embedding)
        for layer in layers {
            memory.add(layer.projections)
            memory.add(layer.attentionOutput)
            switch layer.feedForward {
            case .dense(let dense): memory.add(dense)
            case .mixture(let router, _, let experts, let shared):
                memory.add(router)
                memory.add(experts)
                if let shared { memory.add(shared) }
            }
        }
        memory.add(head)
        return memory
    }
}

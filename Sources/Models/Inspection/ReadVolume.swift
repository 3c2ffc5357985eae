import Kernels
public import ModelFiles

/// The bytes that one decoded token reads at batch 1: what bounds the speed of decoding.
public struct ReadVolume: Sendable {
    /// Query, key, value and output projections.
    public private(set) var attention = 0
    /// The experts that a token takes, and dense feed-forward layers.
    public private(set) var experts = 0
    /// The experts that every token takes.
    public private(set) var sharedExperts = 0
    /// Routers, and norms in float32.
    public private(set) var routersAndNorms = 0
    /// The output head and one row of the embedding.
    public private(set) var head = 0
    /// Keys and values of one position of the context, in float32.
    public private(set) var cachePerPosition = 0

    /// All weights.
    public var weights: Int { attention + experts + sharedExperts + routersAndNorms + head }

    init(_ specification: ModelSpecification, _ source: some WeightSource) throws {
        let normByteCount = 4 * specification.hiddenSize
        for layer in specification.layers {
            for projection in layer.projections + [layer.attentionOutput] {
                attention += try source.byteCount(of: projection)
            }
            routersAndNorms += 2 * normByteCount
            cachePerPosition += 2 * layer.attention.keyValueHeadCount * layer.attention.headSize * 4
            switch layer.feedForward {
            case .dense(let dense): experts += try source.byteCount(of: dense)
            case .mixture(let router, let routing, let mixture, let shared):
                routersAndNorms += try source.byteCount(of: router)
                experts += try routing.topK * source.byteCount(ofOneOf: mixture)
                if let shared { sharedExperts += try source.byteCount(of: shared) }
            }
        }
        let table = try source.byteCount(of: specification.embedding)
        head += try source.byteCount(of: specification.head) + table / specification.vocabularySize
        routersAndNorms += normByteCount
    }

    /// Reads the descriptions of a checkpoint's tensors.
    public init(_ specification: ModelSpecification, checkpoint: Checkpoint) throws {
        try self.init(specification, TensorReader(checkpoint: checkpoint))
    }

    /// Counts the bytes of synthetic weights.
    public init(_ specification: ModelSpecification, synthetic weights: SyntheticWeights) throws {
        try self.init(specification, weights)
    }

    var json: JSON {
        .object([
            "weights": .integer(weights), "attention": .integer(attention), "experts": .integer(experts),
            "shared_experts": .integer(sharedExperts), "routers_and_norms": .integer(routersAndNorms),
            "head": .integer(head), "kv_cache_per_position": .integer(cachePerPosition),
        ])
    }
}

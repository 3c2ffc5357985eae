public import Kernels
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
    public var cachePerPosition: Int { caches.reduce(0) { $0 + $1.byteCountPerPosition } }

    /// The layers' masks, and the bytes of keys and values of one position in each.
    private var caches: [(mask: AttentionMask, byteCountPerPosition: Int)] = []

    /// All weights.
    public var weights: Int { attention + experts + sharedExperts + routersAndNorms + head }

    /// Reads the descriptions of a checkpoint's tensors.
    public init(_ specification: ModelSpecification, checkpoint: Checkpoint) throws {
        let source = TensorReader(checkpoint: checkpoint)
        for layer in specification.layers {
            for projection in layer.projections + [layer.attentionOutput] {
                attention += try source.byteCount(of: projection)
            }
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
        addNormsAndCache(of: specification)
    }

    /// Counts weights as they lie in memory, where BF16 takes less than in the checkpoint.
    public init(_ specification: ModelSpecification, weights: TransformerWeights<CPUBackend>) {
        for layer in weights.layers {
            attention += layer.projections.weightByteCount + layer.attentionOutput.weightByteCount
            switch layer.feedForward {
            case .dense(let dense): experts += dense.expertByteCount
            case .mixture(let router, let routing, let mixture, let shared):
                routersAndNorms += router.weightByteCount
                experts += routing.topK * mixture.expertByteCount
                sharedExperts += shared?.expertByteCount ?? 0
            }
        }
        head += weights.head.weightByteCount + weights.embedding.weightByteCount / specification.vocabularySize
        addNormsAndCache(of: specification)
    }

    /// The keys and values that the token at a position reads: those that the layers' masks show it, with its own.
    public func cache(at position: Int) -> Int {
        caches.reduce(0) { $0 + $1.byteCountPerPosition * (position + 1 - $1.mask.firstVisibleKey(at: position)) }
    }

    private mutating func addNormsAndCache(of specification: ModelSpecification) {
        let normByteCount = 4 * specification.hiddenSize
        routersAndNorms += normByteCount * (2 * specification.layers.count + 1)
        for layer in specification.layers {
            let byteCountPerPosition = 2 * layer.attention.keyValueHeadCount * layer.attention.headSize * 4
            caches.append((layer.attention.mask, byteCountPerPosition))
        }
    }

    var json: JSON {
        .object([
            "weights": .integer(weights), "attention": .integer(attention), "experts": .integer(experts),
            "shared_experts": .integer(sharedExperts), "routers_and_norms": .integer(routersAndNorms),
            "head": .integer(head), "kv_cache_per_position": .integer(cachePerPosition),
        ])
    }
}

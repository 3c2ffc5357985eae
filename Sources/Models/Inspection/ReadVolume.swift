import Kernels
import ModelFiles

/// The bytes that one decoded token reads at batch 1: what bounds the speed of decoding.
struct ReadVolume {
    /// Query, key, value and output projections.
    var attention = 0
    /// The experts that a token takes, and dense feed-forward layers.
    var experts = 0
    /// The experts that every token takes.
    var sharedExperts = 0
    /// Routers, norms and biases.
    var routersAndNorms = 0
    /// The output head and one row of the embedding.
    var head = 0
    /// Keys and values of one position of the context, in float32.
    var cachePerPosition = 0

    /// All weights.
    var weights: Int { attention + experts + sharedExperts + routersAndNorms + head }

    init(_ specification: ModelSpecification, _ reader: TensorReader) throws {
        for layer in specification.layers {
            for projection in layer.projections + [layer.attentionOutput] {
                attention += try reader.matrix(projection).byteCount
            }
            routersAndNorms += try Self.tensorBytes(reader, [layer.attentionNorm, layer.feedForwardNorm])
            cachePerPosition += 2 * layer.attention.keyValueHeadCount * layer.attention.headSize * 4
            switch layer.feedForward {
            case .dense(let dense): experts += Self.byteCount(try reader.expert(dense))
            case .mixture(let router, let routing, let mixture, let shared):
                routersAndNorms += try reader.matrix(router).byteCount
                experts += try reader.experts(mixture).prefix(routing.topK).reduce(0) { $0 + Self.byteCount($1) }
                if let shared { sharedExperts += Self.byteCount(try reader.expert(shared)) }
            }
        }
        let table = try reader.matrix(specification.embedding)
        head += try reader.matrix(specification.head).byteCount + table.byteCount / max(1, table.rowCount)
        routersAndNorms += try Self.tensorBytes(reader, [specification.finalNorm])
    }

    var json: JSON {
        .object([
            "weights": .integer(weights), "attention": .integer(attention), "experts": .integer(experts),
            "shared_experts": .integer(sharedExperts), "routers_and_norms": .integer(routersAndNorms),
            "head": .integer(head), "kv_cache_per_position": .integer(cachePerPosition),
        ])
    }

    private static func byteCount(_ expert: ExpertWeights) -> Int {
        expert.gate.byteCount + expert.up.byteCount + expert.down.byteCount
    }

    private static func tensorBytes(_ reader: TensorReader, _ names: [String]) throws -> Int {
        try names.reduce(0) { try $0 + reader.checkpoint.tensor(named: $1).bytes.count }
    }
}

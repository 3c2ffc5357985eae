/// One layer's attention but for its linear projections; `Vector` is the backend's type of small weights.
public struct Attention<Vector> {
    /// The number of query heads, a multiple of `keyValueHeadCount`.
    public var queryHeadCount: Int
    /// The number of key and value heads.
    public var keyValueHeadCount: Int
    /// The size of a head.
    public var headSize: Int
    /// What multiplies `q · k` before the softmax.
    public var scale: Float
    /// Rotary embedding; nil for NoPE layers.
    public var rotary: RotaryEmbedding?
    /// Norms of the query and key heads.
    public var headNorm: HeadNorm<Vector>
    /// Which keys a query sees.
    public var mask: AttentionMask
    /// Llama 4's scaling of queries by position, for NoPE layers.
    public var temperature: AttentionTemperature?
    /// A logit for each query head that joins the softmax's denominator, without a value (gpt-oss), `[Q]`.
    public var sinks: Vector?

    /// Describes an attention layer.
    public init(
        queryHeadCount: Int, keyValueHeadCount: Int, headSize: Int, scale: Float, rotary: RotaryEmbedding?,
        headNorm: HeadNorm<Vector>, mask: AttentionMask, temperature: AttentionTemperature?, sinks: Vector?
    ) {
        self.queryHeadCount = queryHeadCount
        self.keyValueHeadCount = keyValueHeadCount
        self.headSize = headSize
        self.scale = scale
        self.rotary = rotary
        self.headNorm = headNorm
        self.mask = mask
        self.temperature = temperature
        self.sinks = sinks
    }

    /// The width of a row that holds all query heads, then all key heads, then all value heads.
    public var projectedSize: Int { (queryHeadCount + 2 * keyValueHeadCount) * headSize }

    /// The same attention with each small weight replaced, as when the names of weights become loaded weights.
    public func mapVectors<Other>(_ transform: (Vector) throws -> Other) rethrows -> Attention<Other> {
        Attention<Other>(
            queryHeadCount: queryHeadCount, keyValueHeadCount: keyValueHeadCount, headSize: headSize, scale: scale,
            rotary: rotary, headNorm: try headNorm.mapVectors(transform), mask: mask, temperature: temperature,
            sinks: try sinks.map(transform))
    }
}

extension Attention: Sendable where Vector: Sendable {}
extension HeadNorm: Sendable where Vector: Sendable {}

/// Rotary position embedding: pair `j` of a head turns by `position * inverseFrequencies[j]` radians.
///
/// Source: RoFormer, Su et al. 2021.
public struct RotaryEmbedding: Sendable, Equatable {
    /// Which two elements of a head form pair `j`.
    public enum Pairing: Sendable, Equatable {
        /// `2j` and `2j + 1` (Llama 4).
        case interleaved
        /// `j` and `j + headSize / 2` (Llama, Qwen, gpt-oss).
        case halfSplit
    }

    /// Radians per position of each pair, `[headSize / 2]`.
    public let inverseFrequencies: [Float]
    /// Which two elements form a pair.
    public let pairing: Pairing
    /// What multiplies sine and cosine (YaRN's attention factor), otherwise 1.
    public let magnitude: Float

    /// Describes a rotary embedding.
    public init(inverseFrequencies: [Float], pairing: Pairing, magnitude: Float = 1) {
        self.inverseFrequencies = inverseFrequencies
        self.pairing = pairing
        self.magnitude = magnitude
    }
}

/// Root-mean-square norms of each query and key head.
public enum HeadNorm<Vector> {
    /// No norm.
    case none
    /// With weights `[headSize]`, before the rotary embedding (Qwen3).
    case weightedBeforeRotation(query: Vector, key: Vector, epsilon: Float)
    /// Without weights, after the rotary embedding (Llama 4).
    case unweightedAfterRotation(epsilon: Float)

    func mapVectors<Other>(_ transform: (Vector) throws -> Other) rethrows -> HeadNorm<Other> {
        switch self {
        case .none: .none
        case .weightedBeforeRotation(let query, let key, let epsilon):
            .weightedBeforeRotation(query: try transform(query), key: try transform(key), epsilon: epsilon)
        case .unweightedAfterRotation(let epsilon): .unweightedAfterRotation(epsilon: epsilon)
        }
    }
}

/// Which keys `j` a query at position `i` sees, always with `j <= i`.
public enum AttentionMask: Sendable, Equatable {
    /// All of them.
    case causal
    /// Those with `i - j < window`.
    case slidingWindow(Int)
    /// Those with `j / chunk == i / chunk`.
    case chunked(Int)
}

/// Llama 4: queries are multiplied by `log1p(floor((position + 1) / floorScale)) * scale + 1`.
public struct AttentionTemperature: Sendable, Equatable {
    /// Positions per step.
    public let floorScale: Float
    /// The weight of the logarithm.
    public let scale: Float

    /// Describes a temperature.
    public init(floorScale: Float, scale: Float) {
        self.floorScale = floorScale
        self.scale = scale
    }
}

/// The operations of a forward pass on one device; the models are written once against them.
///
/// Shapes use `T` rows (tokens of all sequences of the step), `H` hidden size, `I` intermediate size, `E` experts,
/// `V` vocabulary, `Q`/`KV` heads of size `D`. Buffers are made once for the largest `T`; an operation touches the first
/// `rowCount` rows. An operation may return when it is only enqueued: ``read(_:rowCount:)`` waits for all before it. One
/// forward pass runs at a time. Sizes that disagree are refused with an error, as ``KernelError`` on the CPU.
public protocol Backend: AnyObject {
    /// A device buffer of activations, row-major.
    associatedtype Activations
    /// A small weight that stays in high precision: norm weights, sinks.
    associatedtype Vector
    /// A linear layer in the device's own arrangement.
    associatedtype Linear
    /// The experts of one layer, or a dense feed-forward layer, in the device's own arrangement.
    associatedtype FeedForward
    /// The keys and values of one sequence in all layers.
    associatedtype KeyValueCache

    // MARK: Weights and buffers

    /// Makes a buffer `[rowCount, columnCount]`.
    func makeActivations(rowCount: Int, columnCount: Int) throws -> Activations

    /// Makes a small weight.
    func makeVector(_ values: [Float]) throws -> Vector

    /// Makes a linear layer from matrices with the same input, stacked along the outputs (query, key and value).
    ///
    /// - Parameters:
    ///   - parts: the matrices; each is read once and discarded.
    ///   - bias: added to the output, one value for each output of all parts, or nil.
    /// - Throws: ``KernelError`` if the backend has no kernel for a shape or encoding.
    func makeLinear(_ parts: [WeightMatrix], bias: [Float]?) throws -> Linear

    /// Makes a feed-forward layer; a dense one is a layer of one expert.
    ///
    /// - Throws: ``KernelError`` if the backend has no kernel for a shape or encoding, or shapes disagree.
    func makeFeedForward(_ experts: [ExpertWeights], activation: GatedActivation) throws -> FeedForward

    /// Makes an empty cache of keys and values for `capacity` positions of one sequence.
    func makeKeyValueCache(layers: [Attention<Vector>], capacity: Int) throws -> KeyValueCache

    // MARK: Forward pass

    /// Writes row `tokens[t]` of an embedding table `[V, H]` to row `t` of the output.
    func embed(_ tokens: [Int32], from table: Linear, into output: Activations) throws

    /// Root-mean-square norm of each row: `x / sqrt(mean(x²) + epsilon) * weight`; the output may be the input.
    func normalize(
        _ input: Activations, rowCount: Int, weight: Vector, epsilon: Float, into output: Activations) throws

    /// `output = input · Wᵀ + bias`, or `output += …` if `accumulating`.
    func apply(
        _ linear: Linear, to input: Activations, rowCount: Int, accumulating: Bool, into output: Activations) throws

    /// Applies head norm, rotary embedding and temperature to the queries and keys of rows
    /// `[query heads | key heads | value heads]` in place, and appends keys and values to the caches.
    func prepareHeads(
        _ projected: Activations, attention: Attention<Vector>, layer: Int, sequences: [SequenceRows<KeyValueCache>]
    ) throws

    /// Attention of the prepared queries over each sequence's cache, `[T, Q * D]`.
    func attend(
        _ projected: Activations, attention: Attention<Vector>, layer: Int, sequences: [SequenceRows<KeyValueCache>],
        into output: Activations
    ) throws

    /// Adds a dense feed-forward layer's output to `output`: `output += down(activation(gate(x), up(x)))`.
    func feedForward(_ layer: FeedForward, input: Activations, rowCount: Int, addingTo output: Activations) throws

    /// Routes each row by its logits `[T, E]` and adds the weighted outputs of its experts to `output`.
    func routeToExperts(
        _ layer: FeedForward, routing: Routing, logits: Activations, input: Activations, rowCount: Int,
        addingTo output: Activations) throws

    /// Sets rows to zero.
    func clear(_ activations: Activations, rowCount: Int) throws

    /// Adds the rows of the input to those of the output.
    func add(_ input: Activations, rowCount: Int, to output: Activations) throws

    /// Copies the given rows of the input to the first rows of the output.
    func gather(_ rows: [Int], from input: Activations, into output: Activations) throws

    /// Waits for the operations so far and returns the first rows of a buffer, row-major.
    func read(_ activations: Activations, rowCount: Int) throws -> [Float]
}

/// The rows of a step that belong to one sequence.
public struct SequenceRows<KeyValueCache> {
    /// The sequence's keys and values.
    public let cache: KeyValueCache
    /// The rows of the step, in the order of the sequence.
    public let rows: Range<Int>
    /// The position of the first of these rows in the sequence; the cache holds all positions before it.
    public let firstPosition: Int

    /// Describes the rows of one sequence.
    public init(cache: KeyValueCache, rows: Range<Int>, firstPosition: Int) {
        self.cache = cache
        self.rows = rows
        self.firstPosition = firstPosition
    }
}

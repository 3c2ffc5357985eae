public import Kernels
public import ModelFiles

/// Moves a checkpoint's weights to a backend, tensor by tensor.
///
/// Packed weights stay packed. Each tensor's pages are given back once the backend has its arrangement of them, so that
/// loading needs little more memory than the checkpoint.
public struct ModelLoader<B: Backend> {
    private let backend: B
    private let source: any WeightSource
    private let checkpoint: Checkpoint?
    private let onProgress: (_ loadedLayerCount: Int, _ layerCount: Int) -> Void

    /// - Parameters:
    ///   - checkpoint: where the weights are.
    ///   - backend: where they go.
    ///   - onProgress: called after each layer.
    public init(
        _ checkpoint: Checkpoint, backend: B, onProgress: @escaping (Int, Int) -> Void = { _, _ in }
    ) {
        self.backend = backend
        self.onProgress = onProgress
        source = TensorReader(checkpoint: checkpoint)
        self.checkpoint = checkpoint
    }

    /// - Parameters:
    ///   - weights: weights without a checkpoint.
    ///   - backend: where they go.
    ///   - onProgress: called after each layer.
    public init(
        synthetic weights: SyntheticWeights, backend: B, onProgress: @escaping (Int, Int) -> Void = { _, _ in }
    ) {
        self.backend = backend
        self.onProgress = onProgress
        source = weights
        checkpoint = nil
    }

    /// Loads the weights that a specification names.
    ///
    /// - Throws: ``ModelFileError`` if a tensor is missing or has another shape or type than the specification says, or
    ///   the checkpoint has more layers; ``KernelError`` if the backend cannot run a layer.
    public func load(_ specification: ModelSpecification) throws -> TransformerWeights<B> {
        try checkpoint?.checkLayerCount(of: specification)
        let readAhead = checkpoint.map(CheckpointReadAhead.init)
        defer { readAhead?.stop() }
        let isTied = specification.head == specification.embedding
        let names = specification.layers.map(\.namePrefix) + (isTied ? [] : [specification.head.name + "."])
        var next = names.makeIterator()
        func readNext() { if let name = next.next() { readAhead?.read(tensorsNamed: name) } }

        readAhead?.read(tensorsNamed: specification.embedding.name + ".")
        readNext()
        let embedding = try linear([specification.embedding])
        var layers: [TransformerWeights<B>.Layer] = []
        for layer in specification.layers {
            readNext()
            layers.append(try load(layer, hiddenSize: specification.hiddenSize))
            onProgress(layers.count, specification.layers.count)
        }
        return TransformerWeights(
            embedding: embedding, layers: layers,
            finalNorm: try vector(specification.finalNorm, count: specification.hiddenSize),
            head: isTied ? embedding : try linear([specification.head]))
    }

    private func load(_ layer: LayerSpecification, hiddenSize: Int) throws -> TransformerWeights<B>.Layer {
        TransformerWeights<B>.Layer(
            attentionNorm: try vector(layer.attentionNorm, count: hiddenSize),
            projections: try linear(layer.projections),
            attention: try load(layer.attention),
            attentionOutput: try linear([layer.attentionOutput]),
            feedForwardNorm: try vector(layer.feedForwardNorm, count: hiddenSize),
            feedForward: try load(layer.feedForward))
    }

    private func load(_ attention: Attention<String>) throws -> Attention<B.Vector> {
        // All small weights of an attention have the size of a head, but for the sinks.
        var attentionWithoutSinks = attention
        attentionWithoutSinks.sinks = nil
        var loaded = try attentionWithoutSinks.mapVectors { try vector($0, count: attention.headSize) }
        loaded.sinks = try attention.sinks.map { try vector($0, count: attention.queryHeadCount) }
        return loaded
    }

    private func load(_ feedForward: FeedForwardSpecification) throws -> TransformerWeights<B>.FeedForward {
        switch feedForward {
        case .dense(let dense):
            .dense(try load(dense))
        case .mixture(let router, let routing, let experts, let shared):
            .mixture(
                router: try linear([router]), routing: routing,
                experts: try backend.makeFeedForward(source.experts(experts), activation: experts.activation),
                shared: try shared.map(load))
        }
    }

    private func load(_ expert: ExpertSpecification) throws -> B.FeedForward {
        try backend.makeFeedForward([source.expert(expert)], activation: expert.activation)
    }

    private func linear(_ parts: [LinearSpecification]) throws -> B.Linear {
        var biases: [Float] = []
        for part in parts { biases += try source.bias(part) ?? [] }
        return try backend.makeLinear(parts.map(source.matrix), bias: biases.isEmpty ? nil : biases)
    }

    private func vector(_ name: String, count: Int) throws -> B.Vector {
        try backend.makeVector(source.vector(name, count: count))
    }
}

extension Checkpoint {
    /// Makes sure that no layer follows those of the specification: it would be left out without a word.
    fileprivate func checkLayerCount(of specification: ModelSpecification) throws(ModelFileError) {
        let count = specification.layers.count
        guard let last = specification.layers.last?.namePrefix, last.hasSuffix(".\(count - 1).") else { return }
        let next = last.dropLast("\(count - 1).".count) + "\(count)."
        guard let tensor = tensors.first(where: { $0.name.hasPrefix(next) }) else { return }
        throw tensor.error(.mismatched, "the configuration says that the model has \(count) layers, 0 to \(count - 1)")
    }
}

extension LayerSpecification {
    /// What the names of all tensors of the layer begin with: `model.layers.0.`.
    var namePrefix: String {
        let common = zip(attentionNorm, feedForwardNorm).prefix { $0 == $1 }.map(\.0)
        guard let dot = common.lastIndex(of: ".") else { return attentionNorm }
        return String(common[...dot])
    }
}

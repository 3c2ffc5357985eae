import Kernels

/// Where the weights of a specification come from: a checkpoint, or a seed.
protocol WeightSource {
    /// The weight of a linear module.
    func matrix(_ linear: LinearSpecification) throws -> WeightMatrix

    /// The bias of a linear module, nil if it has none.
    func bias(_ linear: LinearSpecification) throws -> [Float]?

    /// A small weight `[count]`.
    func vector(_ name: String, count: Int) throws -> [Float]

    /// The weights of all experts of a layer.
    func experts(_ experts: ExpertsSpecification) throws -> [ExpertWeights]
}

extension WeightSource {
    /// The weights of a dense layer, a shared expert, or an expert with modules of its own.
    func expert(_ expert: ExpertSpecification) throws -> ExpertWeights {
        var biases: ExpertWeights.Biases?
        if let gate = try bias(expert.gate), let up = try bias(expert.up), let down = try bias(expert.down) {
            biases = ExpertWeights.Biases(gate: gate, up: up, down: down)
        }
        return ExpertWeights(
            gate: try matrix(expert.gate), up: try matrix(expert.up), down: try matrix(expert.down), biases: biases)
    }

    /// The weights of experts with modules of their own.
    func separateExperts(_ experts: ExpertsSpecification) throws -> [ExpertWeights] {
        try (0..<experts.count).map { try expert(experts.expert($0)) }
    }
}

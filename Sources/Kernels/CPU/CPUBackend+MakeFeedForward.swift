import CCPUKernels

extension CPUBackend {
    /// Packs the experts of a layer, or a dense feed-forward layer as its only expert.
    ///
    /// Gate and up blocks lie beside each other, since a thread needs both for its part of the hidden rows.
    ///
    /// - Throws: ``KernelError`` if there are none, their shapes are not supported or disagree, a scale is NaN, or there is not the
    ///   memory.
    public func makeFeedForward(
        _ experts: [ExpertWeights], activation: GatedActivation
    ) throws(KernelError) -> CPUFeedForward {
        guard let first = experts.first else { throw KernelError("a feed-forward layer without experts") }
        var shapes: [ExpertShapes] = []
        for expert in experts {
            shapes.append(
                try ExpertShapes(
                    of: expert, hiddenSize: first.gate.columnCount, intermediateSize: first.gate.rowCount))
        }
        try AvailableMemory.require(shapes.lazy.map(\.byteCount), for: first.gate.name)
        var plan = PackingPlan()
        var placed: [CPUFeedForward.Expert] = []
        for (expert, shapes) in zip(experts, shapes) {
            placed.append(try place(expert, shapes: shapes, plan: &plan))
        }
        try plan.run(on: pool)
        return CPUFeedForward(
            experts: placed, hiddenSize: first.gate.columnCount, intermediateSize: first.gate.rowCount,
            activation: activation)
    }

    /// An expert by itself, so that the experts of a layer fill the pieces of memory to their ends.
    private func place(
        _ expert: ExpertWeights, shapes: ExpertShapes, plan: inout PackingPlan
    ) throws(KernelError) -> CPUFeedForward.Expert {
        let (memory, offset) = try weights.reserve(byteCount: shapes.byteCount, for: expert.gate.name)
        let pairBytes = shapes.gate.blockBytes + shapes.up.blockBytes
        let gate = try place(
            expert.gate, shape: shapes.gate, in: memory, offset: offset, blockStride: pairBytes, plan: &plan)
        let up = try place(
            expert.up, shape: shapes.up, in: memory, offset: offset + shapes.gate.blockBytes, blockStride: pairBytes,
            plan: &plan)
        let down = try place(
            expert.down, shape: shapes.down, in: memory, offset: offset + shapes.gate.blockCount * pairBytes,
            blockStride: shapes.down.blockBytes, plan: &plan)
        return CPUFeedForward.Expert(
            gate: gate, up: up, down: down,
            biases: try expert.biases.map { biases throws(KernelError) in
                (
                    gate: try FloatBuffer(paddingToBlocks: biases.gate),
                    up: try FloatBuffer(paddingToBlocks: biases.up),
                    down: try FloatBuffer(paddingToBlocks: biases.down)
                )
            })
    }
}

/// The shapes of an expert's matrices.
private struct ExpertShapes {
    let gate: PackedShape
    let up: PackedShape
    let down: PackedShape

    /// Checks that an expert's matrices fit together and to the layer's other experts.
    init(of expert: ExpertWeights, hiddenSize: Int, intermediateSize: Int) throws(KernelError) {
        gate = try PackedShape(of: expert.gate)
        up = try PackedShape(of: expert.up)
        down = try PackedShape(of: expert.down)
        try Self.require(expert.gate, rowCount: intermediateSize, columnCount: hiddenSize)
        try Self.require(expert.up, rowCount: intermediateSize, columnCount: hiddenSize)
        try Self.require(expert.down, rowCount: hiddenSize, columnCount: intermediateSize)
        if let biases = expert.biases {
            try Self.require(biases.gate, of: expert.gate)
            try Self.require(biases.up, of: expert.up)
            try Self.require(biases.down, of: expert.down)
        }
    }

    /// The bytes of all three; where that is more than any machine has, at least that much.
    var byteCount: Int { [gate, up, down].reduce(0) { $0 + min($1.byteCount, 1 << 60) } }

    private static func require(_ matrix: WeightMatrix, rowCount: Int, columnCount: Int) throws(KernelError) {
        guard matrix.rowCount == rowCount, matrix.columnCount == columnCount else {
            throw KernelError(
                "\(matrix.name): [\(matrix.rowCount), \(matrix.columnCount)], expected [\(rowCount), \(columnCount)]")
        }
    }

    private static func require(_ bias: [Float], of matrix: WeightMatrix) throws(KernelError) {
        guard bias.count == matrix.rowCount else {
            throw KernelError("\(matrix.name): a bias of \(bias.count) values, expected \(matrix.rowCount)")
        }
    }
}

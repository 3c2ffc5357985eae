import CCPUKernels

extension CPUBackend {
    /// Packs the experts of a layer, or a dense feed-forward layer as its only expert.
    ///
    /// Gate and up blocks lie beside each other, since a thread needs both for its part of the hidden rows.
    ///
    /// - Throws: ``KernelError`` if there are none, their shapes are not supported or disagree, or a scale is NaN.
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
        var byteCount = 0
        for expert in shapes {
            let (sum, overflowed) = byteCount.addingReportingOverflow(expert.byteCount)
            guard !overflowed else { throw KernelError("\(first.gate.name): too many experts") }
            byteCount = sum
        }
        let (memory, start) = try weights.reserve(byteCount: byteCount, for: first.gate.name)
        var packed: [CPUFeedForward.Expert] = []
        var offset = start
        for (expert, shapes) in zip(experts, shapes) {
            packed.append(try pack(expert, shapes: shapes, into: memory, offset: offset))
            offset += shapes.byteCount
        }
        return CPUFeedForward(
            experts: packed, hiddenSize: first.gate.columnCount, intermediateSize: first.gate.rowCount,
            activation: activation)
    }

    private func pack(
        _ expert: ExpertWeights, shapes: ExpertShapes, into memory: WeightMemory, offset: Int
    ) throws(KernelError) -> CPUFeedForward.Expert {
        let pairBytes = shapes.gate.blockBytes + shapes.up.blockBytes
        let gate = try pack(expert.gate, shape: shapes.gate, into: memory, offset: offset, blockStride: pairBytes)
        let up = try pack(
            expert.up, shape: shapes.up, into: memory, offset: offset + shapes.gate.blockBytes, blockStride: pairBytes)
        let down = try pack(
            expert.down, shape: shapes.down, into: memory, offset: offset + shapes.gate.blockCount * pairBytes,
            blockStride: shapes.down.blockBytes)
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

    /// The bytes of all three.
    var byteCount: Int { gate.byteCount + up.byteCount + down.byteCount }

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

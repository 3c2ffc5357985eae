import CCPUKernels

/// One step through the experts of a layer: the rows of each expert between its products.
///
/// The rows of an expert's assignments follow each other in every array of pointers.
struct ExpertPass {
    let step: ExpertStep
    let layer: CPUFeedForward
    let backend: CPUBackend
    /// Whether rows are weighted before they enter the experts.
    let weightsInput: Bool
    /// What enters the gate and up projections of each group.
    private(set) var gateInputs: [MatrixRows] = []
    private(set) var upInputs: [MatrixRows] = []
    /// What enters the down projection of each group.
    private(set) var hiddenInputs: [MatrixRows] = []
    /// The rows between the products, `[assignments]` rows of `[I]`.
    let hiddenRows: UnsafeMutablePointer<UnsafeMutablePointer<Float>>
    /// The lanes' scratch memory.
    private let lanes: UnsafeMutablePointer<Float>

    /// Reserves memory, and weighs, quantizes and arranges the rows that enter the experts.
    init(
        _ step: ExpertStep, of layer: CPUFeedForward, weightsInput: Bool, input: CPUActivations, backend: CPUBackend
    ) throws(KernelError) {
        self.step = step
        self.layer = layer
        self.backend = backend
        self.weightsInput = weightsInput
        let count = step.rows.count
        let inputSize = InputArea.valueCount(capacity: count, columnCount: layer.hiddenSize)
        let hiddenSize = InputArea.valueCount(capacity: count, columnCount: layer.intermediateSize)
        let memory = try backend.scratch.activations.reserve(rowCount: 1, columnCount: 2 * inputSize + hiddenSize)
        lanes = try backend.scratch.lanes.reserve(
            rowCount: backend.threadCount, columnCount: LaneScratch.valueCount(rowCount: step.largestGroup))
        let rows = backend.scratch.inputRows.reserve(3 * count)
        let gate = InputArea(memory: memory, capacity: count, columnCount: layer.hiddenSize, rows: rows)
        let up = InputArea(
            memory: memory + inputSize, capacity: count, columnCount: layer.hiddenSize, rows: rows + count)
        let hidden = InputArea(
            memory: memory + 2 * inputSize, capacity: count, columnCount: layer.intermediateSize,
            rows: rows + 2 * count)

        hiddenRows = backend.scratch.outputRows.reserve(2 * count)
        for index in 0..<count {
            hiddenRows[index] = hidden.changedRow(index)
            hidden.rows[index] = UnsafePointer(hiddenRows[index])
        }
        hiddenInputs = step.groups.map { group in
            let first = group.assignments.lowerBound
            return MatrixRows(
                rows: hidden.rows + first, rowCount: group.assignments.count, columnCount: layer.intermediateSize,
                quantized: layer.experts[group.expert].down.shape.isQuantized,
                order: order(of: group, layer.experts[group.expert].down), prepared: hidden.prepared(first),
                kernels: backend.kernels)
        }
        gateInputs = makeInputs(from: input, weighted: weightsInput, area: gate) { $0.gate }
        upInputs =
            layer.sharesInputs ? gateInputs : makeInputs(from: input, weighted: weightsInput, area: up) { $0.up }
    }

    /// Writes `activation(gate(x), up(x))` of all assignments to the hidden rows.
    func multiplyGateAndUp() {
        let kernels = backend.kernels
        let pieces = ExpertPiece.dividing(step, layer: layer, threadCount: backend.threadCount)
        backend.pool.runInLanes(pieces.count, operationCount: operationCount(matrixCount: 2)) { task, lane in
            let piece = pieces[task]
            let group = step.groups[piece.group]
            let expert = layer.experts[group.expert]
            let scratch = LaneScratch(base: lanes, lane: lane, rowCount: step.largestGroup)
            var gate = nibble_gate(expert, activation: layer.activation, order: gateInputs[piece.group].order)
            for block in piece.blocks {
                gateInputs[piece.group].multiply(
                    expert.gate, block: block, kernels: kernels, panel: scratch.panel, into: scratch.sums)
                upInputs[piece.group].multiply(
                    expert.up, block: block, kernels: kernels, panel: scratch.panel, into: scratch.upSums)
                let first = block * PackedShape.blockRows
                kernels.store_gated(
                    scratch.sums, scratch.upSums, group.assignments.count, &gate,
                    hiddenRows + group.assignments.lowerBound, first, expert.gate.shape.rowCount(ofBlock: block))
                // Sixteen hidden values are just what is split at a time.
                if backend.inputPrecision(of: expert.down) == .full {
                    hiddenInputs[piece.group].split(
                        firstColumn: first, count: PackedShape.blockRows, kernels: kernels)
                }
            }
        }
    }

    /// Quantizes the hidden rows if asked for, and arranges them for the down projection.
    func prepareHiddenRows() {
        var unprepared: [MatrixRows] = []
        for (group, hidden) in zip(step.groups, hiddenInputs) {
            let precision = backend.inputPrecision(of: layer.experts[group.expert].down)
            // Those that were not quantized have been split with the products that they come from.
            if precision == .full, hidden.form == .digits { continue }
            unprepared.append(hidden)
            guard precision != .full else { continue }
            let columnCount = layer.intermediateSize
            backend.pool.runInRanges(
                group.assignments.count, operationCount: group.assignments.count * columnCount * 16
            ) { range in
                for index in range.map({ $0 + group.assignments.lowerBound }) {
                    precision.round(hiddenRows[index], columnCount: columnCount, into: hiddenRows[index])
                }
            }
        }
        backend.prepare(unprepared)
    }

    /// Adds the down projections to the output rows, a row's experts in their order.
    func multiplyDown(addingTo output: CPUActivations, weightsOutput: Bool) {
        let kernels = backend.kernels
        let outputRows = hiddenRows + step.rows.count
        for (index, row) in step.rows.enumerated() { outputRows[index] = output.row(row) }
        // A task has its columns of the output to itself.
        let blockCount = (layer.hiddenSize + PackedShape.blockRows - 1) / PackedShape.blockRows
        let taskCount = min(blockCount, backend.threadCount * 8)
        backend.pool.runInLanes(taskCount, operationCount: operationCount(matrixCount: 1)) { task, lane in
            let scratch = LaneScratch(base: lanes, lane: lane, rowCount: step.largestGroup)
            let blocks = blockCount * task / taskCount..<blockCount * (task + 1) / taskCount
            for (group, hidden) in zip(step.groups, hiddenInputs) {
                let expert = layer.experts[group.expert]
                let first = group.assignments.lowerBound
                for block in blocks {
                    hidden.multiply(
                        expert.down, block: block, kernels: kernels, panel: scratch.panel, into: scratch.sums)
                    let column = block * PackedShape.blockRows
                    step.weights.withUnsafeBufferPointer { weights in
                        kernels.store(
                            scratch.sums, hidden.rowCount, hidden.order.outputScale(of: expert.down),
                            expert.biases.map { UnsafePointer($0.down.base + column) },
                            weightsOutput ? weights.baseAddress.map { $0 + first } : nil, true, outputRows + first,
                            column, expert.down.shape.rowCount(ofBlock: block))
                    }
                }
            }
        }
    }

    private func operationCount(matrixCount: Int) -> Int {
        step.rows.count * matrixCount * layer.hiddenSize * layer.intermediateSize
    }
}

extension nibble_gate {
    /// The scales, biases and activation of an expert.
    fileprivate init(_ expert: CPUFeedForward.Expert, activation: GatedActivation, order: SumOrder) {
        var (clamped, alpha, limit): (Bool, Float, Float) = (false, 1, 0)
        if case .clampedSwiglu(let givenAlpha, let givenLimit) = activation {
            (clamped, alpha, limit) = (true, givenAlpha, givenLimit)
        }
        self.init(
            gate_scale: order.outputScale(of: expert.gate), up_scale: order.outputScale(of: expert.up),
            gate_bias: expert.biases.map { UnsafePointer($0.gate.base) },
            up_bias: expert.biases.map { UnsafePointer($0.up.base) }, clamped: clamped, alpha: alpha, limit: limit)
    }
}

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
        let changesInput = weightsInput || backend.activationPrecision == .nvfp4
        let digitFormat = backend.digitFormat
        let inputSize = InputArea.valueCount(
            capacity: count, columnCount: layer.hiddenSize, changesRows: changesInput, digitFormat: digitFormat)
        let inputCount = layer.sharesInputs ? 1 : 2
        let hiddenSize = count * InputArea.stride(columnCount: layer.intermediateSize)
        let digitSize = InputArea.digitValueCount(
            capacity: count, columnCount: layer.intermediateSize, digitFormat: digitFormat)
        // Tiles of the hidden rows replace those of the inputs, which by then have done their work.
        let sharedSize = max(inputCount * inputSize, hiddenSize)
        let memory = try backend.scratch.activations.reserve(
            rowCount: 1, columnCount: sharedSize + hiddenSize + digitSize)
        lanes = try backend.scratch.lanes.reserve(
            rowCount: backend.threadCount, columnCount: LaneScratch.valueCount(rowCount: step.largestGroup))
        let rows = backend.scratch.inputRows.reserve(3 * count)
        let digits = backend.scratch.inputDigits.reserve(3 * count)
        let inputs = (0..<inputCount).map { index in
            InputArea(
                memory: memory + index * inputSize, capacity: count, columnCount: layer.hiddenSize,
                digitFormat: digitFormat, rows: rows + index * count, digits: digits + index * count)
        }
        let hidden = InputArea(
            memory: memory, digitMemory: memory + sharedSize + hiddenSize, changedRows: memory + sharedSize,
            capacity: count, columnCount: layer.intermediateSize, digitFormat: digitFormat, rows: rows + 2 * count,
            digits: digits + 2 * count)

        hiddenRows = backend.scratch.outputRows.reserve(2 * count)
        for index in 0..<count {
            hiddenRows[index] = hidden.changedRow(index)
            hidden.rows[index] = UnsafePointer(hiddenRows[index])
            // Three digits take as much memory as the values that they are made of, and replace them.
            guard digitFormat == .exact else { continue }
            hidden.digits[index] = UnsafeRawPointer(hiddenRows[index]).assumingMemoryBound(to: UInt8.self)
        }
        hiddenInputs = step.groups.map { group in
            let down = layer.blocks[group.expert].down
            return MatrixRows(
                hidden, rows: group.assignments, columnCount: layer.intermediateSize,
                precision: backend.inputPrecision(of: down), quantized: down.shape.isQuantized,
                order: downOrder(of: group), kernels: backend.kernels)
        }
        gateInputs = makeInputs(from: input, weighted: weightsInput, area: inputs[0]) { $0.gate }
        upInputs =
            layer.sharesInputs
            ? gateInputs : makeInputs(from: input, weighted: weightsInput, area: inputs[1]) { $0.up }
    }

    /// Writes `activation(gate(x), up(x))` of all assignments to the hidden rows.
    func multiplyGateAndUp() {
        let work = ExpertWork(step, blockCount: PackedShape.blockCount(ofRows: layer.intermediateSize))
        let division = backend.division(tasksPerThread: CPUBackend.tasksPerThread)
        let largestGroup = step.largestGroup
        backend.pool.runInLanes(division.taskCount, operationCount: operationCount(matrixCount: 2)) { task, lane in
            let scratch = LaneScratch(base: lanes, lane: lane, rowCount: largestGroup)
            work.forEachPiece(of: division.range(ofTask: task, in: work.total)) { multiplyGateAndUp($0, scratch) }
        }
    }

    private func multiplyGateAndUp(_ piece: ExpertPiece, _ scratch: LaneScratch) {
        let kernels = backend.kernels
        let group = step.groups[piece.group]
        let expert = layer.blocks[group.expert]
        let (gateInput, upInput) = (gateInputs[piece.group], upInputs[piece.group])
        let hidden = hiddenInputs[piece.group]
        var gate = nibble_gate(expert, activation: layer.activation, order: gateInput.order)
        for run in LaneScratch.runs(of: piece.blocks, rowCount: hidden.rowCount) {
            // In the order in which the blocks lie in memory.
            for block in run {
                let offset = (block - run.lowerBound) * hidden.rowCount * PackedShape.blockRows
                gateInput.multiply(
                    expert.gate, blocks: block..<block + 1, kernels: kernels, panel: scratch.panel,
                    into: scratch.sums + offset)
                upInput.multiply(
                    expert.up, blocks: block..<block + 1, kernels: kernels, panel: scratch.panel,
                    into: scratch.upSums + offset)
            }
            let columns = expert.gate.shape.rows(ofBlocks: run)
            kernels.store_gated(
                scratch.sums, scratch.upSums, hidden.rowCount, &gate, hiddenRows + group.assignments.lowerBound,
                columns.lowerBound, columns.count)
            // A block's sixteen hidden values are just what is split at a time.
            if hidden.form == .digits {
                for row in 0..<hidden.rowCount { hidden.split(row: row, columns: columns, kernels: kernels) }
            }
        }
    }

    /// Quantizes the hidden rows if asked for, and arranges them for the down projection.
    func prepareHiddenRows() {
        var unprepared: [MatrixRows] = []
        for (group, hidden) in zip(step.groups, hiddenInputs) {
            // Digits have been written with the products that they come from.
            if hidden.form == .digits { continue }
            let precision = backend.inputPrecision(of: layer.blocks[group.expert].down)
            unprepared.append(hidden)
            guard precision.changesRows else { continue }
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
        // A task has its columns of the output to itself, and reads a run of blocks of each expert: fewer tasks than
        // elsewhere, for long runs.
        let division = backend.division(tasksPerThread: CPUBackend.tasksPerThread / 2)
        let blockCount = PackedShape.blockCount(ofRows: layer.hiddenSize)
        let largestGroup = step.largestGroup
        backend.pool.runInLanes(division.taskCount, operationCount: operationCount(matrixCount: 1)) { task, lane in
            let scratch = LaneScratch(base: lanes, lane: lane, rowCount: largestGroup)
            let blocks = division.range(ofTask: task, in: blockCount)
            for index in step.groups.indices {
                let (group, hidden) = (step.groups[index], hiddenInputs[index])
                let down = layer.blocks[group.expert].down
                let first = group.assignments.lowerBound
                for run in LaneScratch.runs(of: blocks, rowCount: hidden.rowCount) {
                    hidden.multiply(down, blocks: run, kernels: kernels, panel: scratch.panel, into: scratch.sums)
                    let columns = down.shape.rows(ofBlocks: run)
                    step.weights.withUnsafeBufferPointer { weights in
                        kernels.store(
                            scratch.sums, hidden.rowCount, hidden.order.outputScale(of: down),
                            down.bias(fromBlock: run.lowerBound),
                            weightsOutput ? weights.baseAddress.map { $0 + first } : nil, true, outputRows + first,
                            columns.lowerBound, columns.count)
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
    fileprivate init(_ expert: CPUFeedForward.Blocks, activation: GatedActivation, order: SumOrder) {
        var (clamped, alpha, limit): (Bool, Float, Float) = (false, 1, 0)
        if case .clampedSwiglu(let givenAlpha, let givenLimit) = activation {
            (clamped, alpha, limit) = (true, givenAlpha, givenLimit)
        }
        self.init(
            gate_scale: order.outputScale(of: expert.gate), up_scale: order.outputScale(of: expert.up),
            gate_bias: expert.gate.bias, up_bias: expert.up.bias, clamped: clamped, alpha: alpha, limit: limit)
    }
}

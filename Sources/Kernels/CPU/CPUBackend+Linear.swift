import CCPUKernels

extension CPUBackend {
    /// Packs matrices with the same input into a linear layer.
    ///
    /// - Throws: ``KernelError`` if there are none, their shapes are not supported or disagree, a scale is NaN, or there is not the
    ///   memory.
    public func makeLinear(_ parts: [WeightMatrix], bias: [Float]?) throws(KernelError) -> CPULinear {
        guard let first = parts.first else { throw KernelError("a linear layer without matrices") }
        var shapes: [PackedShape] = []
        for part in parts {
            let shape = try PackedShape(of: part)
            guard shape.columnCount == first.columnCount else {
                throw KernelError(
                    "\(part.name): \(shape.columnCount) columns, expected the \(first.columnCount) of \(first.name)")
            }
            shapes.append(shape)
        }
        let rowCount = shapes.reduce(0) { $0 + $1.rowCount }
        if let bias, bias.count != rowCount {
            throw KernelError("\(first.name): a bias of \(bias.count) values, expected \(rowCount)")
        }
        try AvailableMemory.require(shapes.lazy.map(\.byteCount), for: first.name)
        var packed: [PackedMatrix] = []
        var plan = PackingPlan()
        for (part, shape) in zip(parts, shapes) {
            let (memory, offset) = try weights.reserve(byteCount: shape.byteCount, for: part.name)
            packed.append(
                try place(
                    part, shape: shape, in: memory, offset: offset, blockStride: shape.blockBytes, plan: &plan))
        }
        try plan.run(on: pool)
        return CPULinear(
            parts: packed,
            biases: try bias.map { values throws(KernelError) in
                try padded(values, for: shapes)
            })
    }

    /// Places a matrix that the plan will pack, and checks that its inputs can be quantized if they are to be.
    func place(
        _ matrix: WeightMatrix, shape: PackedShape, in memory: LargePageMemory, offset: Int, blockStride: Int,
        plan: inout PackingPlan
    ) throws(KernelError) -> PackedMatrix {
        let packed = PackedMatrix(
            placing: matrix, shape: shape, in: memory, offset: offset, blockStride: blockStride)
        try requireEncodeScale(of: packed)
        plan.add(packed, packing: matrix)
        return packed
    }

    private func padded(_ bias: [Float], for shapes: [PackedShape]) throws(KernelError) -> [FloatBuffer] {
        var buffers: [FloatBuffer] = []
        var start = 0
        for shape in shapes {
            buffers.append(try FloatBuffer(paddingToBlocks: bias[start..<start + shape.rowCount]))
            start += shape.rowCount
        }
        return buffers
    }

    /// Writes row `tokens[t]` of an embedding table `[V, H]` to row `t` of the output.
    ///
    /// - Throws: ``KernelError`` if a token is not in the table, or sizes disagree.
    public func embed(
        _ tokens: [Int32], from table: CPULinear, into output: CPUActivations
    ) throws(KernelError) {
        try require(output, columnCount: table.columnCount)
        try require(output, rowCount: tokens.count)
        guard let matrix = table.parts.first, table.parts.count == 1 else {
            throw KernelError("an embedding table of \(table.parts.count) matrices, expected 1")
        }
        if let token = tokens.first(where: { $0 < 0 || $0 >= table.rowCount }) {
            throw KernelError("\(matrix.name): token \(token), expected one from 0 to \(table.rowCount - 1)")
        }
        pool.runInRanges(tokens.count, operationCount: tokens.count * table.columnCount * 4) { rows in
            for row in rows { matrix.readRow(Int(tokens[row]), into: output.row(row)) }
        }
    }

    /// `output = input · Wᵀ + bias`, or `output += …` if `accumulating`.
    ///
    /// - Throws: ``KernelError`` if sizes disagree.
    public func apply(
        _ linear: CPULinear, to input: CPUActivations, rowCount: Int, accumulating: Bool, into output: CPUActivations
    ) throws(KernelError) {
        try require(input, columnCount: linear.columnCount)
        try require(output, columnCount: linear.rowCount)
        try require(input, rowCount: rowCount)
        try require(output, rowCount: rowCount)
        guard rowCount > 0 else { return }

        let inputs = try prepareInputs(of: linear, from: input, rowCount: rowCount)
        let outputs = scratch.outputRows.reserve(rowCount)
        for row in 0..<rowCount { outputs[row] = output.row(row) }
        let lanes = try scratch.lanes.reserve(
            rowCount: threadCount, columnCount: LaneScratch.valueCount(rowCount: rowCount))

        let kernels = kernels
        let division = division(byteCount: linear.byteCount, rowCount: rowCount)
        pool.runInLanes(division.taskCount, operationCount: rowCount * linear.rowCount * linear.columnCount) {
            task, lane in
            let lane = LaneScratch(base: lanes, lane: lane, rowCount: rowCount)
            for part in linear.blocks.indices {
                let (matrix, input) = (linear.blocks[part], inputs[part])
                let blocks = linear.blocks(ofPart: part, task: task, division)
                for run in LaneScratch.runs(of: blocks, rowCount: rowCount) {
                    input.multiply(matrix, blocks: run, kernels: kernels, panel: lane.panel, into: lane.sums)
                    let rows = matrix.shape.rows(ofBlocks: run)
                    kernels.store(
                        lane.sums, rowCount, input.order.outputScale(of: matrix),
                        matrix.bias(fromBlock: run.lowerBound), nil, accumulating, outputs,
                        linear.firstRows[part] + rows.lowerBound, rows.count)
                }
            }
        }
    }

    /// The rows that enter each part, which differ only where W4A4 quantizes them with different scales.
    private func prepareInputs(
        of linear: CPULinear, from input: CPUActivations, rowCount: Int
    ) throws(KernelError) -> [MatrixRows] {
        let precisions = linear.blocks.map { inputPrecision(of: $0) }
        var distinct: [InputPrecision] = []
        for precision in precisions where !distinct.contains(precision) { distinct.append(precision) }

        let columnCount = linear.columnCount
        let changesRows = precisions.contains(where: \.changesRows)
        let areaSize = InputArea.valueCount(
            capacity: rowCount, columnCount: columnCount, changesRows: changesRows, digitFormat: digitFormat)
        let memory = try scratch.activations.reserve(rowCount: distinct.count, columnCount: areaSize)
        let rows = scratch.inputRows.reserve(distinct.count * rowCount)
        let digits = scratch.inputDigits.reserve(distinct.count * rowCount)
        var inputs: [MatrixRows] = []
        for (index, precision) in distinct.enumerated() {
            let area = InputArea(
                memory: memory + index * areaSize, capacity: rowCount, columnCount: columnCount,
                digitFormat: digitFormat, rows: rows + index * rowCount, digits: digits + index * rowCount)
            enter(input, rowCount: rowCount, precision: precision, area: area)
            inputs.append(
                MatrixRows(
                    area, rows: 0..<rowCount, columnCount: columnCount, precision: precision,
                    quantized: zip(linear.blocks, precisions).contains { $0.shape.isQuantized && $1 == precision },
                    order: sumOrder(rowCount: rowCount, of: linear.blocks),
                    kernels: kernels))
        }
        prepare(inputs)
        return precisions.map { precision in inputs[distinct.firstIndex(of: precision) ?? 0] }
    }

    /// Points an area's rows to those of a buffer, or to what a precision leaves of them.
    private func enter(_ input: CPUActivations, rowCount: Int, precision: InputPrecision, area: InputArea) {
        guard precision.changesRows else {
            for row in 0..<rowCount { area.rows[row] = UnsafePointer(input.row(row)) }
            return
        }
        let columnCount = input.columnCount
        pool.runInRanges(rowCount, operationCount: rowCount * columnCount * 16) { range in
            for row in range {
                precision.round(input.row(row), columnCount: columnCount, into: area.changedRow(row))
                area.rows[row] = UnsafePointer(area.changedRow(row))
            }
        }
    }
}

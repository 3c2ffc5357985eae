import CCPUKernels

extension ExpertPass {
    /// Weighs, quantizes and arranges the rows that enter one matrix of each expert.
    ///
    /// A row that several experts take unchanged is split once for all of them.
    func makeInputs(
        from input: CPUActivations, weighted: Bool, area: InputArea,
        matrix: (CPUFeedForward.Blocks) -> MatrixBlocks
    ) -> [MatrixRows] {
        // The assignment that has the digits of a row of the input.
        let owners = backend.scratch.digitOwners.reserve(input.rowCount)
        owners.update(repeating: -1, count: input.rowCount)
        var inputs: [MatrixRows] = []
        inputs.reserveCapacity(step.groups.count)
        for group in step.groups {
            let matrix = matrix(layer.blocks[group.expert])
            let precision = backend.inputPrecision(of: matrix)
            enter(group, from: input, weighted: weighted, precision: precision, area: area)
            let rows = MatrixRows(
                area, rows: group.assignments, columnCount: input.columnCount, precision: precision,
                quantized: matrix.shape.isQuantized, order: gateAndUpOrder(of: group), kernels: backend.kernels)
            inputs.append(rows)
            guard rows.form == .digits, !weighted, !precision.changesRows else { continue }
            for index in group.assignments {
                let row = step.rows[index]
                if owners[row] < 0 { owners[row] = Int32(index) }
                area.digits[index] = area.digits[Int(owners[row])]
            }
        }
        backend.prepare(inputs)
        return inputs
    }

    /// The order of sums of the gate and up projections of one expert's rows; one for both, as they are stored together.
    func gateAndUpOrder(of group: ExpertStep.Group) -> SumOrder {
        let expert = layer.blocks[group.expert]
        return order(of: group, [expert.gate, expert.up])
    }

    /// The order of sums of the down projection of one expert's rows.
    func downOrder(of group: ExpertStep.Group) -> SumOrder { order(of: group, [layer.blocks[group.expert].down]) }

    /// Where experts take weighted rows (Llama 4), the references multiply all rows by each expert, with weights of zero.
    private func order(of group: ExpertStep.Group, _ matrices: @autoclosure () -> [MatrixBlocks]) -> SumOrder {
        backend.sumOrder(rowCount: weightsInput ? step.rows.count : group.assignments.count, of: matrices())
    }

    /// Points an area's rows to those of one expert's assignments, or to what weights and precision make of them.
    private func enter(
        _ group: ExpertStep.Group, from input: CPUActivations, weighted: Bool, precision: InputPrecision,
        area: InputArea
    ) {
        guard weighted || precision.changesRows else {
            for index in group.assignments { area.rows[index] = UnsafePointer(input.row(step.rows[index])) }
            return
        }
        let (vectors, columnCount) = (backend.vectors, input.columnCount)
        backend.pool.runInRanges(
            group.assignments.count, operationCount: group.assignments.count * columnCount * 16
        ) { range in
            for index in range.map({ $0 + group.assignments.lowerBound }) {
                let row = area.changedRow(index)
                vectors.scale(input.row(step.rows[index]), columnCount, weighted ? step.weights[index] : 1, row)
                precision.round(row, columnCount: columnCount, into: row)
                area.rows[index] = UnsafePointer(row)
            }
        }
    }
}

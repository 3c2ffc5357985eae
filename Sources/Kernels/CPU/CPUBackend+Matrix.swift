import CCPUKernels
import FP4

extension CPUBackend {
    /// Prepares rows for their products, in parallel where there is enough to do.
    func prepare(_ inputs: [MatrixRows]) {
        var parts: [(input: Int, part: Int)] = []
        for (index, input) in inputs.enumerated() {
            for part in 0..<input.partCount { parts.append((index, part)) }
        }
        let valueCount = inputs.reduce(0) { $0 + ($1.form == .plain ? 0 : $1.rowCount * $1.columnCount) }
        guard valueCount > Self.smallestParallelValueCount else {
            for (input, part) in parts { inputs[input].prepare(part: part, kernels: kernels) }
            return
        }
        pool.run(parts.count) { inputs[parts[$0].input].prepare(part: parts[$0].part, kernels: kernels) }
    }

    /// Below this, waking the other threads takes longer than the work.
    private static var smallestParallelValueCount: Int { 8192 }

    /// In which precision rows enter a matrix.
    func inputKind(of matrix: PackedMatrix) -> InputKind {
        quantizesInput(of: matrix) ? .quantized(encodeScale: matrix.inputEncodeScale) : .full
    }

    /// Weighs, quantizes and arranges the rows that enter one matrix of each expert.
    ///
    /// A row that several experts take unchanged is split once for all of them.
    func makeInputs(
        _ step: ExpertStep, from input: CPUActivations, weighted: Bool, area: InputArea,
        matrix: (_ expert: Int) -> PackedMatrix
    ) -> [MatrixRows] {
        let prepared = area.memory + step.rows.count * area.stride
        var preparedRows: [Int: UnsafeMutablePointer<Float>] = [:]
        var inputs: [MatrixRows] = []
        var unprepared: [MatrixRows] = []
        for group in step.groups {
            let matrix = matrix(group.expert)
            let kind = inputKind(of: matrix)
            let isChanged = weighted || kind != .full
            if isChanged {
                changeRows(of: group, step: step, input: input, weighted: weighted, kind: kind, area: area)
            } else {
                for index in group.assignments { area.rows[index] = UnsafePointer(input.row(step.rows[index])) }
            }
            let first = group.assignments.lowerBound
            let shared = isChanged ? nil : preparedRows[step.rows[first]]
            let rows = MatrixRows(
                rows: area.rows + first, rowCount: group.assignments.count, columnCount: input.columnCount,
                quantized: matrix.shape.isQuantized, prepared: shared ?? prepared + first * area.stride,
                kernels: kernels)
            inputs.append(rows)
            if rows.form == .digits, !isChanged {
                if shared != nil { continue }
                preparedRows[step.rows[first]] = rows.prepared
            }
            unprepared.append(rows)
        }
        prepare(unprepared)
        return inputs
    }

    private func changeRows(
        of group: ExpertStep.Group, step: ExpertStep, input: CPUActivations, weighted: Bool, kind: InputKind,
        area: InputArea
    ) {
        let (vectors, columnCount) = (vectors, input.columnCount)
        pool.runInRanges(group.assignments.count, operationCount: group.assignments.count * columnCount * 16) { range in
            for index in range.map({ $0 + group.assignments.lowerBound }) {
                let target = area.memory + index * area.stride
                let row = input.row(step.rows[index])
                vectors.scale(row, columnCount, weighted ? step.weights[index] : 1, target)
                if case .quantized(let encodeScale) = kind {
                    quantize(target, columnCount: columnCount, encodeScale: encodeScale, into: target)
                }
                area.rows[index] = UnsafePointer(target)
            }
        }
    }

    /// Whether the input of a matrix is quantized.
    func quantizesInput(of matrix: PackedMatrix) -> Bool {
        activationPrecision == .nvfp4 && matrix.shape.format == NIBBLE_NVFP4
    }

    /// Checks that the inputs of a matrix can be quantized, if they are to be.
    func requireEncodeScale(of matrix: PackedMatrix) throws(KernelError) {
        guard quantizesInput(of: matrix), let scale = matrix.inputEncodeScale, !(scale > 0 && scale.isFinite) else {
            return
        }
        throw KernelError("\(matrix.name): an input encode scale of \(scale), expected a finite one above zero")
    }

    /// Rounds a row to what NVFP4 can hold, with the given encode scale or else the row's own; in place if equal.
    func quantize(
        _ row: UnsafePointer<Float>, columnCount: Int, encodeScale: Float?, into output: UnsafeMutablePointer<Float>
    ) {
        let values = UnsafeBufferPointer(start: row, count: columnCount)
        let encodeScale =
            encodeScale ?? NVFP4.encodeScale(absoluteMaximum: values.reduce(0) { max($0, abs($1)) })
        NVFP4.fakeQuantize(
            activations: values, encodeScale: encodeScale,
            into: UnsafeMutableBufferPointer(start: output, count: columnCount))
    }

    /// The number of tasks for a product that reads this many bytes for this many rows.
    func taskCount(byteCount: Int, rowCount: Int) -> Int {
        // A task should take a few microseconds at least; several for each thread even out what else the machine does.
        let smallestTask = 32 << 10
        let (work, overflowed) = byteCount.multipliedReportingOverflow(by: rowCount)
        return max(1, min(threadCount * 8, overflowed ? Int.max : work / smallestTask))
    }
}

/// In which precision rows enter a matrix.
enum InputKind: Equatable {
    /// As they are.
    case full
    /// Rounded to NVFP4 with the checkpoint's encode scale, or with each row's own.
    case quantized(encodeScale: Float?)
}

import CCPUKernels

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Computes the tasks of an attention operation, the softmax block by block, so that scratch memory is bounded.
///
/// Source: online softmax, Milakov and Gimelshein 2018; FlashAttention, Dao et al. 2022.
struct AttentionKernel {
    let projected: CPUActivations
    let output: CPUActivations
    let shape: AttentionShape
    let scale: Float
    let sinks: UnsafePointer<Float>?
    let vectors: nibble_vector_kernels

    /// Weighted sums of values, with the softmax they belong to, of the query rows of a task.
    struct Sums {
        let states: UnsafeMutablePointer<nibble_softmax_state>
        let values: UnsafeMutablePointer<Float>
    }

    /// The float32 values that ``Sums`` of a task take.
    static func sumsSize(_ shape: AttentionShape) -> Int {
        let rowCount = AttentionPlan.tileRowCount(shape)
        return rowCount * shape.paddedHeadSize + (2 * rowCount + 15) / 16 * 16
    }

    /// The float32 values of scratch memory that a lane takes.
    static func scratchSize(_ shape: AttentionShape) -> Int {
        let rowCount = AttentionPlan.tileRowCount(shape)
        return sumsSize(shape) + rowCount * (shape.paddedHeadSize + KeyValueLayer.blockSize)
    }

    /// Computes a task; the result goes to `partials` if the task is one of several parts, otherwise to the output.
    func run(_ task: AttentionTask, scratch: UnsafeMutablePointer<Float>, partials: UnsafeMutablePointer<Float>) {
        let sums = sums(at: task.partCount > 1 ? partials + task.partialIndex * Self.sumsSize(shape) : scratch)
        let queries = scratch + Self.sumsSize(shape)
        let scores = queries + AttentionPlan.tileRowCount(shape) * shape.paddedHeadSize
        start(task, queries: queries, sums: sums)
        let blockSize = KeyValueLayer.blockSize
        for block in task.keys.lowerBound / blockSize...(task.keys.upperBound - 1) / blockSize {
            guard let memory = task.blocks[block] else { continue }
            visit(
                memory + task.head * shape.blockHeadSize, start: block * blockSize, task, queries: queries,
                scores: scores, sums: sums)
        }
        if task.partCount == 1 { finish(task, sums) }
    }

    /// Combines the parts of the rows whose first part is given.
    func combine(_ first: AttentionTask, partials: UnsafeMutablePointer<Float>) {
        let total = sums(at: partials + first.partialIndex * Self.sumsSize(shape))
        for index in 1..<first.partCount {
            let part = sums(at: partials + (first.partialIndex + index) * Self.sumsSize(shape))
            for row in 0..<first.rows.count * shape.groupSize {
                let (left, right) = (total.states[row], part.states[row])
                let maximum = max(left.maximum, right.maximum)
                let (leftFactor, rightFactor) = (factor(left, maximum), factor(right, maximum))
                let values = total.values + row * shape.paddedHeadSize
                vectors.scale(values, shape.headSize, leftFactor, values)
                vectors.add_scaled(part.values + row * shape.paddedHeadSize, shape.headSize, rightFactor, values)
                total.states[row] = nibble_softmax_state(
                    maximum: maximum, sum: left.sum * leftFactor + right.sum * rightFactor)
            }
        }
        finish(first, total)
    }

    /// A row that saw none of a part's keys has a maximum of -infinity.
    private func factor(_ state: nibble_softmax_state, _ maximum: Float) -> Float {
        state.maximum == maximum ? 1 : exp(state.maximum - maximum)
    }

    private func sums(at memory: UnsafeMutablePointer<Float>) -> Sums {
        let rowCount = AttentionPlan.tileRowCount(shape)
        let states = UnsafeMutableRawPointer(memory + rowCount * shape.paddedHeadSize)
        return Sums(states: states.assumingMemoryBound(to: nibble_softmax_state.self), values: memory)
    }

    /// Copies the queries, multiplied by the scale, and empties the sums; the first part begins with the sinks.
    private func start(_ task: AttentionTask, queries: UnsafeMutablePointer<Float>, sums: Sums) {
        var index = 0
        for row in task.rows {
            for head in task.head * shape.groupSize..<(task.head + 1) * shape.groupSize {
                let query = projected.row(row) + head * shape.headSize
                vectors.scale(query, shape.headSize, scale, queries + index * shape.paddedHeadSize)
                if let sinks, task.part == 0 {
                    sums.states[index] = nibble_softmax_state(maximum: sinks[head], sum: 1)
                } else {
                    sums.states[index] = nibble_softmax_state(maximum: -.infinity, sum: 0)
                }
                index += 1
            }
        }
        sums.values.update(repeating: 0, count: index * shape.paddedHeadSize)
    }

    /// Adds the visible keys and values of a block that begins at position `start`.
    private func visit(
        _ keys: UnsafeMutablePointer<Float>, start: Int, _ task: AttentionTask, queries: UnsafeMutablePointer<Float>,
        scores: UnsafeMutablePointer<Float>, sums: Sums
    ) {
        let (blockSize, panelSize) = (KeyValueLayer.blockSize, KeyValueLayer.panelSize)
        let rowCount = task.rows.count * shape.groupSize
        let first = max(task.keys.lowerBound - start, 0)
        let end = min(task.keys.upperBound - start, blockSize)
        let panels = first / panelSize..<(end - 1) / panelSize + 1
        scores.update(repeating: 0, count: rowCount * blockSize)
        vectors.multiply_add(
            rowCount, panels.count, shape.headSize, queries, shape.paddedHeadSize,
            keys + panels.lowerBound * shape.headSize * panelSize, shape.headSize * panelSize,
            scores + panels.lowerBound * panelSize, blockSize)
        for index in 0..<rowCount {
            let position = task.firstPosition + index / shape.groupSize
            let row = scores + index * blockSize
            let visibleEnd = min(end, position + 1 - start)
            let visibleStart = min(max(first, shape.mask.firstVisibleKey(at: position) - start), visibleEnd)
            if visibleStart < visibleEnd {
                vectors.online_softmax(
                    row + visibleStart, visibleEnd - visibleStart, sums.values + index * shape.paddedHeadSize,
                    shape.headSize, sums.states + index)
            }
            // Hidden keys get no weight.
            (row + first).update(repeating: 0, count: max(0, visibleStart - first))
            (row + max(first, visibleEnd)).update(repeating: 0, count: end - max(first, visibleEnd))
        }
        vectors.multiply_add(
            rowCount, shape.paddedHeadSize / panelSize, end - first, scores + first, blockSize,
            keys + shape.blockValuesOffset + first * panelSize, blockSize * panelSize, sums.values,
            shape.paddedHeadSize)
    }

    private func finish(_ task: AttentionTask, _ sums: Sums) {
        var index = 0
        for row in task.rows {
            for head in task.head * shape.groupSize..<(task.head + 1) * shape.groupSize {
                vectors.scale(
                    sums.values + index * shape.paddedHeadSize, shape.headSize, 1 / sums.states[index].sum,
                    output.row(row) + head * shape.headSize)
                index += 1
            }
        }
    }
}

import CCPUKernels

/// The attention of one row and the query heads of one key head, in the order of sums of the W4A4 references.
///
/// All scores of the row are there before its softmax, and weights are normalized before values are added.
struct RowAttention {
    let projected: CPUActivations
    let output: CPUActivations
    let shape: AttentionShape
    let scale: Float
    let sinks: UnsafePointer<Float>?
    let backend: CPUBackend

    /// The float32 values of scratch memory for rows that see up to `keyCount` positions.
    static func scratchSize(_ shape: AttentionShape, keyCount: Int) -> Int {
        shape.groupSize * (paddedKeyCount(keyCount) + shape.paddedHeadSize)
    }

    /// Whole blocks, with room for the sink.
    private static func paddedKeyCount(_ keyCount: Int) -> Int {
        (keyCount / KeyValueLayer.blockSize + 1) * KeyValueLayer.blockSize
    }

    /// Computes the heads of the group of key head `head`.
    ///
    /// - Parameters:
    ///   - row: the row of the buffers.
    ///   - position: its position in the sequence.
    ///   - keyCount: the keys of the whole sequence, of which the row sees some.
    func run(
        head: Int, row: Int, position: Int, keyCount: Int,
        blocks: UnsafeMutableBufferPointer<UnsafeMutablePointer<Float>?>, scratch: UnsafeMutablePointer<Float>
    ) {
        let (groupSize, headSize, width) = (shape.groupSize, shape.headSize, shape.paddedHeadSize)
        let blockSize = KeyValueLayer.blockSize
        let scoreCount = Self.paddedKeyCount(keyCount)
        let scores = scratch
        let values = scratch + groupSize * scoreCount
        scratch.update(repeating: 0, count: groupSize * (scoreCount + width))

        let visible = shape.mask.firstVisibleKey(at: position)..<position + 1
        let queries = projected.row(row) + head * groupSize * headSize
        forEachBlock(of: visible, head: head, blocks: blocks) { keys, first in
            backend.vectors.multiply_add(
                groupSize, blockSize / KeyValueLayer.panelSize, headSize, queries, headSize, keys,
                headSize * KeyValueLayer.panelSize, scores + first, scoreCount)
        }
        for index in 0..<groupSize {
            let weights = UnsafeMutableBufferPointer(start: scores + index * scoreCount, count: scoreCount)
            softmax(weights, visible: visible, keyCount: keyCount, sink: sinks?[head * groupSize + index])
        }
        forEachBlock(of: visible, head: head, blocks: blocks) { keys, first in
            let count = min(blockSize, visible.upperBound - first)
            backend.vectors.multiply_add(
                groupSize, width / KeyValueLayer.panelSize, count, scores + first, scoreCount,
                keys + shape.blockValuesOffset, blockSize * KeyValueLayer.panelSize, values, width)
        }
        for index in 0..<groupSize {
            (output.row(row) + (head * groupSize + index) * headSize)
                .update(from: values + index * width, count: headSize)
        }
    }

    /// Calls a function with each block that holds visible keys of a head, and the block's first position.
    private func forEachBlock(
        of visible: Range<Int>, head: Int, blocks: UnsafeMutableBufferPointer<UnsafeMutablePointer<Float>?>,
        _ body: (UnsafeMutablePointer<Float>, Int) -> Void
    ) {
        let blockSize = KeyValueLayer.blockSize
        for block in visible.lowerBound / blockSize...(visible.upperBound - 1) / blockSize {
            guard let memory = blocks[block] else { continue }
            body(memory + head * shape.blockHeadSize, block * blockSize)
        }
    }

    /// Turns products of queries and keys into weights; those of hidden keys are zero.
    ///
    /// The sink comes behind the last key.
    private func softmax(
        _ row: UnsafeMutableBufferPointer<Float>, visible: Range<Int>, keyCount: Int, sink: Float?
    ) {
        var largest = sink ?? -.infinity
        for key in visible {
            row[key] *= scale
            largest = max(largest, row[key])
        }
        let count = sink == nil ? keyCount : keyCount + 1
        for key in row.indices where !visible.contains(key) { row[key] = -.infinity }
        if let sink { row[keyCount] = sink }
        if let base = row.baseAddress { backend.vectors.exponentials(base, count, largest) }
        let factor = 1 / SumOrder.softmaxSum(row[..<count])
        for key in row.indices { row[key] = visible.contains(key) ? row[key] * factor : 0 }
    }
}

extension CPUBackend {
    /// Attention in the order of sums of the references; the sizes of the buffers have been checked.
    func attendInReferenceOrder(
        _ projected: CPUActivations, attention: Attention<CPUVector>, shape: AttentionShape, layer: Int,
        sequences: [SequenceRows<CPUKeyValueCache>], into output: CPUActivations
    ) throws(KernelError) {
        let kernel = RowAttention(
            projected: projected, output: output, shape: shape, scale: attention.scale, sinks: attention.sinks?.base,
            backend: self)
        for sequence in sequences {
            let rowCount = min(projected.rowCount, output.rowCount)
            let cache = try sequence.checkedLayer(layer, shape: shape, rowCount: rowCount)
            let keyCount = sequence.firstPosition + sequence.rows.count
            try cache.require(sequence.firstPosition, end: keyCount)
            let scratchSize = RowAttention.scratchSize(shape, keyCount: keyCount)
            let scratch = try attentionScratch.reserve(rowCount: pool.threadCount, columnCount: scratchSize)
            let (rows, headCount) = (sequence.rows, shape.keyValueHeadCount)
            pool.runInLanes(
                rows.count * headCount,
                operationCount: 2 * rows.count * shape.queryHeadCount * keyCount * shape.headSize
            ) { task, lane in
                let (index, head) = task.quotientAndRemainder(dividingBy: headCount)
                kernel.run(
                    head: head, row: rows.lowerBound + index, position: sequence.firstPosition + index,
                    keyCount: keyCount, blocks: cache.blocks, scratch: scratch + lane * scratchSize)
            }
        }
    }
}

extension CPUBackend {
    /// Attention of the prepared queries over each sequence's cache, `[T, Q * D]`.
    ///
    /// Few rows over many keys are cut by their keys, many rows into tiles; only keys that the mask lets through are
    /// visited. W4A4 goes row by row, in the order of its references.
    ///
    /// - Throws: ``KernelError`` if sizes disagree or the caches lack the rows' positions.
    public func attend(
        _ projected: CPUActivations, attention: Attention<CPUVector>, layer: Int,
        sequences: [SequenceRows<CPUKeyValueCache>], into output: CPUActivations
    ) throws(KernelError) {
        let shape = try AttentionShape(attention)
        try require(projected, columnCount: attention.projectedSize)
        try require(output, columnCount: shape.queryHeadCount * shape.headSize)
        guard activationPrecision != .nvfp4 else {
            try attendInReferenceOrder(
                projected, attention: attention, shape: shape, layer: layer, sequences: sequences, into: output)
            return
        }
        attentionPlan.reset()
        for sequence in sequences {
            let rowCount = min(projected.rowCount, output.rowCount)
            let cache = try sequence.checkedLayer(layer, shape: shape, rowCount: rowCount)
            try cache.require(sequence.firstPosition, end: sequence.firstPosition + sequence.rows.count)
            attentionPlan.add(sequence, cache: cache)
        }

        let kernel = AttentionKernel(
            projected: projected, output: output, shape: shape, scale: attention.scale, sinks: attention.sinks?.base,
            vectors: vectors)
        let plan = attentionPlan
        let scratchSize = AttentionKernel.scratchSize(shape)
        let scratch = try attentionScratch.reserve(rowCount: pool.threadCount, columnCount: scratchSize)
        let partials = try attentionPartials.reserve(
            rowCount: plan.partialCount, columnCount: AttentionKernel.sumsSize(shape))
        pool.runInLanes(plan.tasks.count, operationCount: plan.operationCount) { task, lane in
            kernel.run(plan.tasks[task], scratch: scratch + lane * scratchSize, partials: partials)
        }
        if plan.partialCount > 0 {
            let combinedCount = plan.partialCount * AttentionKernel.sumsSize(shape)
            pool.runInRanges(plan.tasks.count, operationCount: combinedCount) { range in
                for task in plan.tasks[range] where task.part == 0 && task.partCount > 1 {
                    kernel.combine(task, partials: partials)
                }
            }
        }
    }
}

import CCPUKernels

extension CPUBackend {
    /// Arranges rows for their products, in parallel where there is enough to do.
    func prepare(_ inputs: [MatrixRows]) {
        var parts: [(input: Int, part: Int)] = []
        var valueCount = 0
        for (index, input) in inputs.enumerated() where input.form != .plain {
            for part in 0..<input.partCount where !input.isPreparedElsewhere(part) { parts.append((index, part)) }
            valueCount += input.rowCount * input.columnCount
        }
        let (kernels, isShared) = (kernels, parts.count > 1 && valueCount > Self.leastSharedValueCount)
        let taskCount = isShared ? parts.count : min(parts.count, 1)
        pool.run(taskCount) { task in
            for (input, part) in isShared ? parts[task...task] : parts[...] {
                inputs[input].prepare(part: part, kernels: kernels)
            }
        }
    }

    /// Below this, waking the other threads takes longer than the work.
    private static var leastSharedValueCount: Int { 8192 }

    /// Tasks for each thread, at most: the fewer blocks one has, the less the others wait for it in the end.
    static var tasksPerThread: Int { 16 }

    /// The number of tasks for a product that reads this many bytes for this many rows.
    ///
    /// A task takes about a microsecond at least, and several for each thread even out what else the machine does.
    func taskCount(byteCount: Int, rowCount: Int) -> Int {
        let leastWork = 16 << 10
        let (work, overflowed) = byteCount.multipliedReportingOverflow(by: rowCount)
        return max(1, min(pool.awakeThreadCount * Self.tasksPerThread, overflowed ? Int.max : work / leastWork))
    }
}

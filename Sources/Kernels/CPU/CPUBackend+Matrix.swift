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

    /// Tasks for each thread, at most: several even out what else the machine does.
    static var tasksPerThread: Int { 8 }

    /// So many tasks for each thread that is awake.
    func division(tasksPerThread: Int) -> WorkDivision {
        WorkDivision(laneCount: pool.awakeThreadCount, tasksPerLane: tasksPerThread)
    }

    /// The tasks of a product that reads this many bytes for this many rows; one takes about a microsecond at least.
    func division(byteCount: Int, rowCount: Int) -> WorkDivision {
        let leastWork = 16 << 10
        let (work, overflowed) = byteCount.multipliedReportingOverflow(by: rowCount)
        let taskCount = overflowed ? Int.max : work / leastWork
        let laneCount = max(1, min(pool.awakeThreadCount, taskCount))
        return WorkDivision(
            laneCount: laneCount, tasksPerLane: max(1, min(Self.tasksPerThread, taskCount / laneCount)))
    }
}

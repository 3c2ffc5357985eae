import CCPUKernels

extension CPUBackend {
    /// Makes a zeroed buffer `[rowCount, columnCount]`.
    ///
    /// - Throws: ``KernelError`` if a count is negative, or there is not that much memory.
    public func makeActivations(rowCount: Int, columnCount: Int) throws(KernelError) -> CPUActivations {
        try CPUActivations(rowCount: rowCount, columnCount: columnCount)
    }

    /// Makes a small weight.
    ///
    /// - Throws: ``KernelError`` if there is no memory.
    public func makeVector(_ values: [Float]) throws(KernelError) -> CPUVector { try CPUVector(values) }

    /// Sets rows to zero.
    ///
    /// - Throws: ``KernelError`` if there are fewer rows.
    public func clear(_ activations: CPUActivations, rowCount: Int) throws(KernelError) {
        try require(activations, rowCount: rowCount)
        activations.row(0).update(repeating: 0, count: rowCount * activations.rowStride)
    }

    /// Adds the rows of the input to those of the output.
    ///
    /// - Throws: ``KernelError`` if sizes disagree.
    public func add(
        _ input: CPUActivations, rowCount: Int, to output: CPUActivations
    ) throws(KernelError) {
        try require(output, columnCount: input.columnCount)
        try require(input, rowCount: rowCount)
        try require(output, rowCount: rowCount)
        let (vectors, columnCount) = (vectors, input.columnCount)
        pool.runInRanges(rowCount, operationCount: rowCount * columnCount) { rows in
            for row in rows { vectors.add_scaled(input.row(row), columnCount, 1, output.row(row)) }
        }
    }

    /// Copies the given rows of the input to the first rows of the output.
    ///
    /// - Throws: ``KernelError`` if sizes disagree or a row does not exist.
    public func gather(
        _ rows: [Int], from input: CPUActivations, into output: CPUActivations
    ) throws(KernelError) {
        try require(output, columnCount: input.columnCount)
        try require(output, rowCount: rows.count)
        for (index, row) in rows.enumerated() {
            guard row >= 0, row < input.rowCount else {
                throw KernelError("row \(row) of a buffer of \(input.rowCount) rows")
            }
            output.row(index).update(from: input.row(row), count: input.columnCount)
        }
    }

    /// The first rows of a buffer, row-major.
    ///
    /// - Throws: ``KernelError`` if there are fewer rows.
    public func read(_ activations: CPUActivations, rowCount: Int) throws(KernelError) -> [Float] {
        try require(activations, rowCount: rowCount)
        let columnCount = activations.columnCount
        return [Float](unsafeUninitializedCapacity: rowCount * columnCount) { values, count in
            count = rowCount * columnCount
            guard let first = values.baseAddress else { return }
            for row in 0..<rowCount {
                (first + row * columnCount).initialize(from: activations.row(row), count: columnCount)
            }
        }
    }

    /// Checks that a buffer has at least a number of rows.
    func require(_ activations: CPUActivations, rowCount: Int) throws(KernelError) {
        guard rowCount >= 0, rowCount <= activations.rowCount else {
            throw KernelError("\(rowCount) rows of a buffer of \(activations.rowCount)")
        }
    }

    /// Checks that a buffer has a number of columns.
    func require(_ activations: CPUActivations, columnCount: Int) throws(KernelError) {
        guard activations.columnCount == columnCount else {
            throw KernelError("a buffer of \(activations.columnCount) columns, expected \(columnCount)")
        }
    }
}

import CCPUKernels

extension CPUBackend {
    /// Root-mean-square norm of each row: `x / sqrt(mean(x²) + epsilon) * weight`; in place if the buffers are the same.
    ///
    /// - Throws: ``KernelError`` if sizes disagree.
    public func normalize(
        _ input: CPUActivations, rowCount: Int, weight: CPUVector, epsilon: Float, into output: CPUActivations
    ) throws(KernelError) {
        try require(input, columnCount: weight.count)
        try require(output, columnCount: weight.count)
        try require(input, rowCount: rowCount)
        try require(output, rowCount: rowCount)
        let vectors = vectors
        pool.runInRanges(rowCount, operationCount: rowCount * weight.count * 2) { rows in
            for row in rows { vectors.rms_norm(input.row(row), weight.base, weight.count, epsilon, output.row(row)) }
        }
    }
}

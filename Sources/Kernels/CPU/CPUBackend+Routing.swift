extension CPUBackend {
    /// Chooses the experts of each row by its logits `[T, E]` and groups the rows by expert in ``assignments``.
    ///
    /// - Throws: ``KernelError`` if sizes disagree.
    func assignExperts(
        _ routing: Routing, logits: CPUActivations, rowCount: Int, expertCount: Int
    ) throws(KernelError) {
        try require(logits, columnCount: expertCount)
        try require(logits, rowCount: rowCount)
        guard expertCount > 0, (1...expertCount).contains(routing.topK) else {
            throw KernelError("\(routing.topK) experts for each token, of \(expertCount)")
        }
        expertSelection.choose(
            routing, logits: logits.base, rowCount: rowCount, expertCount: expertCount, pool: pool)
        expertSelection.experts.withUnsafeBufferPointer { experts in
            expertSelection.weights.withUnsafeBufferPointer { weights in
                assignments.group(experts: experts, weights: weights, topK: routing.topK, expertCount: expertCount)
            }
        }
    }
}

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
            routing, logits: logits.row(0), rowStride: logits.rowStride, rowCount: rowCount, expertCount: expertCount,
            pool: pool)
        expertSelection.experts.withUnsafeBufferPointer { experts in
            expertSelection.weights.withUnsafeBufferPointer { weights in
                assignments.group(experts: experts, weights: weights, topK: routing.topK, expertCount: expertCount)
            }
        }
    }

    /// Chooses the experts of each row by its logits `[T, E]`, as ``routeToExperts(_:routing:logits:input:rowCount:addingTo:)``
    /// does first, and groups the rows by expert.
    ///
    /// - Throws: ``KernelError`` if sizes disagree.
    public func selectExperts(_ routing: Routing, logits: CPUActivations, rowCount: Int) throws(KernelError) {
        try assignExperts(routing, logits: logits, rowCount: rowCount, expertCount: logits.columnCount)
    }

    /// The experts chosen last, `[T, topK]`, by falling logit in each row.
    public var selectedExperts: [Int32] { expertSelection.experts }
}

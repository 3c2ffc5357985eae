extension CPUBackend {
    /// Adds a dense feed-forward layer's output to `output`: `output += down(activation(gate(x), up(x)))`.
    ///
    /// - Throws: ``KernelError`` if the layer has several experts, or sizes disagree.
    public func feedForward(
        _ layer: CPUFeedForward, input: CPUActivations, rowCount: Int, addingTo output: CPUActivations
    ) throws(KernelError) {
        guard layer.expertCount == 1 else {
            throw KernelError("a layer of \(layer.expertCount) experts without a router, expected 1")
        }
        try require(input, rowCount: rowCount)
        try require(output, rowCount: rowCount)
        guard rowCount > 0 else { return }
        let step = ExpertStep.dense(rowCount: rowCount)
        try run(step, of: layer, weightPlacement: .output, input: input, addingTo: output)
    }

    /// Routes each row by its logits `[T, E]` and adds the weighted outputs of its experts to `output`.
    ///
    /// - Throws: ``KernelError`` if sizes disagree.
    public func routeToExperts(
        _ layer: CPUFeedForward, routing: Routing, logits: CPUActivations, input: CPUActivations, rowCount: Int,
        addingTo output: CPUActivations
    ) throws(KernelError) {
        try require(input, rowCount: rowCount)
        try require(output, rowCount: rowCount)
        try assignExperts(routing, logits: logits, rowCount: rowCount, expertCount: layer.expertCount)
        try runExperts(
            layer, assignments: assignments, weightPlacement: routing.weightPlacement, input: input,
            addingTo: output)
    }

    /// Computes the experts of all rows, each expert's weights once, and adds their weighted outputs to `output`.
    ///
    /// A row's experts are added in the order of their indices, whatever the number of threads.
    ///
    /// - Throws: ``KernelError`` if sizes disagree.
    func runExperts(
        _ layer: CPUFeedForward, assignments: ExpertAssignments, weightPlacement: Routing.WeightPlacement,
        input: CPUActivations, addingTo output: CPUActivations
    ) throws(KernelError) {
        guard assignments.expertCount <= layer.expertCount else {
            throw KernelError("a router of \(assignments.expertCount) experts, the layer has \(layer.expertCount)")
        }
        guard !assignments.rows.isEmpty else { return }
        try run(
            ExpertStep(assignments), of: layer, weightPlacement: weightPlacement, input: input, addingTo: output)
    }

    private func run(
        _ step: ExpertStep, of layer: CPUFeedForward, weightPlacement: Routing.WeightPlacement,
        input: CPUActivations, addingTo output: CPUActivations
    ) throws(KernelError) {
        try require(input, columnCount: layer.hiddenSize)
        try require(output, columnCount: layer.hiddenSize)
        let isWeighted = !step.weights.isEmpty
        let pass = try ExpertPass(
            step, of: layer, weightsInput: isWeighted && weightPlacement == .input, input: input, backend: self)
        pass.multiplyGateAndUp()
        pass.prepareHiddenRows()
        pass.multiplyDown(addingTo: output, weightsOutput: isWeighted && weightPlacement == .output)
    }
}

import ModelFiles

/// What becomes of each tensor of a checkpoint.
struct QuantizationPlan {
    /// A file of the new checkpoint, with the name of the one that its tensors come from.
    struct Shard {
        let name: String
        var tensors: [PlannedTensor] = []
    }

    /// A run of elements that a global scale has to cover.
    struct Extent {
        let tensor: TensorView
        let elements: Range<Int>

        var byteCount: Int { elements.count * tensor.elementSize }
    }

    let scheme: QuantizationScheme
    private(set) var shards: [Shard] = []
    private(set) var extents: [ScaleGroup: [Extent]] = [:]
    private(set) var summary = QuantizationSummary()

    private let checkpoint: Checkpoint
    private let selection: ModuleSelection
    private let fusedExperts: FusedExperts?

    /// Decides by names and shapes; no element is read.
    ///
    /// - Throws: ``ModelFileError`` if the checkpoint is quantized already, holds fused experts in an order that is not
    ///   known, or has nothing to quantize.
    init(_ checkpoint: Checkpoint, scheme: QuantizationScheme, excluding globs: [String]) throws {
        self.checkpoint = checkpoint
        self.scheme = scheme
        selection = ModuleSelection(excluding: globs)
        fusedExperts = try FusedExperts(config: checkpoint.config)
        try checkpoint.expectFullPrecision()
        for tensor in checkpoint.tensors {
            let name = tensor.file.path.lastPathComponent
            if shards.last?.name != name { shards.append(Shard(name: name)) }
            for planned in try plan(tensor) { shards[shards.count - 1].tensors.append(planned) }
        }
        try finishSummary()
    }

    /// Bytes of the source that are read: what is copied once, what is quantized twice, as scales come first.
    var workByteCount: Int {
        let written = shards.reduce(0) { $0 + $1.tensors.reduce(0) { $0 + $1.sourceByteCount } }
        return extents.values.reduce(written) { $0 + $1.reduce(0) { $0 + $1.byteCount } }
    }

    private mutating func plan(_ tensor: TensorView) throws -> [PlannedTensor] {
        guard let weight = WeightKind(tensor) else { return try planOther(tensor) }
        guard isQuantized(weight, tensor) else {
            summary.keptModules.append(weight.module)
            if !selection.excludes(weight) {
                summary.unalignedModules.append(
                    .init(name: weight.module, inputSize: weight.inputSize(of: tensor)))
            }
            return [.copy(tensor)]
        }
        summary.quantizedModules.append(weight.module)
        switch weight {
        case .linear(let module):
            let group = ScaleGroup(module: module)
            cover(tensor, 0..<tensor.elementCount, in: group)
            return pack(PackedWeight(module: module, view: WeightView(tensor), scheme: scheme, scaleGroup: group))
        case .experts(let module, let projection):
            return try planExperts(tensor, module: module, projection: projection)
        }
    }

    private func isQuantized(_ weight: WeightKind, _ tensor: TensorView) -> Bool {
        !selection.excludes(weight) && weight.inputSize(of: tensor).isMultiple(of: scheme.format.blockSize)
    }

    private mutating func planExperts(
        _ tensor: TensorView, module: String, projection: String
    ) throws -> [PlannedTensor] {
        let experts = try knownOrder(of: tensor, module: module)
        guard !scheme.keepsExpertsFused else {
            let group = ScaleGroup(name: tensor.name)
            cover(tensor, 0..<tensor.elementCount, in: group)
            return pack(PackedWeight(fusedExperts: tensor, scaleGroup: group))
        }
        let (expertCount, inputSize, outputSize) = (tensor.shape[0], tensor.shape[1], tensor.shape[2])
        var planned: [PlannedTensor] = []
        for expert in 0..<expertCount {
            let start = expert * inputSize * outputSize
            let group = ScaleGroup(name: "\(module).\(expert).\(projection)")
            cover(tensor, start..<start + inputSize * outputSize, in: group)
            for part in experts.parts(of: projection, outputCount: outputSize) {
                let view = WeightView(
                    tensor, rowCount: part.outputCount, columnCount: inputSize, first: start + part.firstOutput,
                    rowStride: part.outputStride, columnStride: outputSize)
                planned += pack(
                    PackedWeight(
                        module: "\(module).\(expert).\(part.name)", view: view, scheme: scheme, scaleGroup: group))
            }
        }
        return planned
    }

    /// A tensor that is not quantized itself; biases of fused experts follow their weights.
    private func planOther(_ tensor: TensorView) throws -> [PlannedTensor] {
        let suffix = "_bias"
        guard !scheme.keepsExpertsFused, tensor.name.hasSuffix(suffix), tensor.shape.count == 2,
            let weight = try checkpoint.tensor(ifPresent: String(tensor.name.dropLast(suffix.count))),
            case .experts(let module, let projection) = WeightKind(weight),
            isQuantized(.experts(module: module, projection: projection), weight)
        else { return [.copy(tensor)] }
        let experts = try knownOrder(of: weight, module: module)
        let (expertCount, outputSize) = (weight.shape[0], weight.shape[2])
        guard tensor.shape == [expertCount, outputSize] else {
            throw tensor.error(.mismatched, "expected shape \([expertCount, outputSize]), found \(tensor.shape)")
        }
        return (0..<expertCount).flatMap { expert in
            experts.parts(of: projection, outputCount: outputSize).map { part in
                .slice(
                    name: "\(module).\(expert).\(part.name).bias", tensor,
                    first: expert * outputSize + part.firstOutput, stride: part.outputStride, count: part.outputCount)
            }
        }
    }

    private func knownOrder(of tensor: TensorView, module: String) throws -> FusedExperts {
        guard let fusedExperts else {
            throw tensor.error(
                .unsupported,
                "fused experts are supported for the model types llama4, llama4_text and gpt_oss; "
                    + "leave these as they are with --exclude '\(module.shortenedForMessage)'")
        }
        guard tensor.shape[2].isMultiple(of: 2) else {
            throw tensor.error(.mismatched, "expected an even number of outputs, found \(tensor.shape[2])")
        }
        return fusedExperts
    }

    private func pack(_ weight: PackedWeight) -> [PlannedTensor] {
        let scale = weight.globalScale.map { PlannedTensor.globalScale($0, weight.scaleGroup) }
        return [scale, .packed(weight)].compactMap { $0 }
    }

    private mutating func cover(_ tensor: TensorView, _ elements: Range<Int>, in group: ScaleGroup) {
        extents[group, default: []].append(Extent(tensor: tensor, elements: elements))
    }

    private mutating func finishSummary() throws {
        guard !summary.quantizedModules.isEmpty else {
            throw ModelFileError(
                .unsupported, file: checkpoint.path,
                "no module is left to quantize; \(summary.keptModules.count) are excluded or have inputs that are not "
                    + "a multiple of \(scheme.format.blockSize)")
        }
        summary.quantizedModules = Set(summary.quantizedModules).sorted()
        summary.keptModules = Set(summary.keptModules + tiedHeads()).sorted()
        summary.unalignedModules.sort { $0.name < $1.name }
        summary.unmatchedExclusions = selection.unmatched(by: checkpoint.tensors.compactMap { WeightKind($0) })
        summary.sourceByteCount = checkpoint.byteCount
        let declarations = shards.flatMap { $0.tensors.flatMap(\.declarations) }
        summary.byteCount = declarations.reduce(0) { $0 + $1.byteCount }
    }

    /// Heads that share the embedding's weight have no tensor, but engines look them up in the lists all the same.
    private func tiedHeads() -> [String] {
        checkpoint.tensorNames.compactMap { name in
            guard name.hasSuffix("model.embed_tokens.weight") else { return nil }
            let head = name.dropLast("model.embed_tokens.weight".count) + "lm_head"
            return checkpoint.hasTensor(named: head + ".weight") ? nil : String(head)
        }
    }
}

extension SafeTensorsWriter.Declaration {
    /// Bytes of the tensor.
    var byteCount: Int { shape.reduce(1, *) * elementType.bitCount / 8 }
}

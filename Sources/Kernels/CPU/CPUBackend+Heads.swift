import CCPUKernels

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

extension CPUBackend {
    /// Makes an empty cache of keys and values for `capacity` positions of one sequence.
    ///
    /// - Throws: ``KernelError`` if the capacity or a layer's shape is not supported.
    public func makeKeyValueCache(
        layers: [Attention<CPUVector>], capacity: Int
    ) throws(KernelError) -> CPUKeyValueCache {
        try CPUKeyValueCache(layers: layers, capacity: capacity)
    }

    /// Applies head norm, rotary embedding and temperature to the queries and keys of rows
    /// `[query heads | key heads | value heads]` in place, and appends keys and values to the caches.
    ///
    /// - Throws: ``KernelError`` if sizes disagree, or a cache is full or lacks positions before a sequence's rows.
    public func prepareHeads(
        _ projected: CPUActivations, attention: Attention<CPUVector>, layer: Int,
        sequences: [SequenceRows<CPUKeyValueCache>]
    ) throws(KernelError) {
        let shape = try AttentionShape(attention)
        try require(projected, columnCount: attention.projectedSize)
        try collectStepRows(sequences, layer: layer, shape: shape, rowCount: projected.rowCount)
        let rows = stepRows
        let rotations = try attention.rotary.map { rotary throws(KernelError) in
            try rotaryTable.rows(of: rotary, for: rows, pool: pool)
        }
        let preparation = HeadPreparation(
            projected, attention: attention, shape: shape, rotations: rotations, vectors: vectors)

        // Neighbouring tasks are the same head of neighbouring rows, whose keys are neighbours in the cache.
        let headCount = shape.queryHeadCount + shape.keyValueHeadCount
        let itemCount = headCount * rows.count
        pool.runInRanges(itemCount, operationCount: itemCount * shape.headSize * 4) { items in
            for item in items {
                let (head, index) = item.quotientAndRemainder(dividingBy: rows.count)
                if head < shape.queryHeadCount {
                    preparation.prepareQuery(head, of: rows[index], index: index)
                } else {
                    preparation.prepareKeyAndValue(head - shape.queryHeadCount, of: rows[index], index: index)
                }
            }
        }
    }

    /// Lists the rows of a step in ``stepRows`` and makes room for them in the caches.
    private func collectStepRows(
        _ sequences: [SequenceRows<CPUKeyValueCache>], layer: Int, shape: AttentionShape, rowCount: Int
    ) throws(KernelError) {
        stepRows.removeAll(keepingCapacity: true)
        for sequence in sequences {
            let cache = try sequence.checkedLayer(layer, shape: shape, rowCount: rowCount)
            try cache.reserve(sequence.firstPosition..<sequence.firstPosition + sequence.rows.count)
            for (offset, row) in sequence.rows.enumerated() {
                stepRows.append(StepRow(row: row, position: sequence.firstPosition + offset, blocks: cache.blocks))
            }
        }
    }
}

extension SequenceRows<CPUKeyValueCache> {
    /// The cache of a layer, if the rows lie in a buffer of `rowCount` rows and their positions in the cache.
    func checkedLayer(_ layer: Int, shape: AttentionShape, rowCount: Int) throws(KernelError) -> KeyValueLayer {
        guard rows.lowerBound >= 0, rows.upperBound <= rowCount else {
            throw KernelError("rows \(rows) of a buffer of \(rowCount) rows")
        }
        guard firstPosition >= 0, firstPosition <= cache.capacity - rows.count else {
            throw KernelError(
                "\(rows.count) positions from \(firstPosition) exceed the key-value cache's \(cache.capacity)")
        }
        return try cache.layer(layer, shape: shape)
    }
}

/// Prepares single heads of a step.
private struct HeadPreparation {
    let projected: CPUActivations
    let shape: AttentionShape
    let rotations: RotaryTable.Rows?
    let pairing: RotaryEmbedding.Pairing
    let temperature: AttentionTemperature?
    let vectors: nibble_vector_kernels
    /// Norms before the rotation with these weights, nil for none.
    let queryNorm: UnsafePointer<Float>?
    let keyNorm: UnsafePointer<Float>?
    /// Of the norms before or after the rotation.
    let epsilon: Float
    let isNormalizedAfterRotation: Bool

    init(
        _ projected: CPUActivations, attention: Attention<CPUVector>, shape: AttentionShape,
        rotations: RotaryTable.Rows?, vectors: nibble_vector_kernels
    ) {
        self.projected = projected
        self.shape = shape
        self.rotations = rotations
        self.vectors = vectors
        pairing = attention.rotary?.pairing ?? .halfSplit
        temperature = attention.temperature
        (queryNorm, keyNorm, epsilon, isNormalizedAfterRotation) =
            switch attention.headNorm {
            case .none: (nil, nil, 0, false)
            case .weightedBeforeRotation(let query, let key, let epsilon): (query.base, key.base, epsilon, false)
            case .unweightedAfterRotation(let epsilon): (nil, nil, epsilon, true)
            }
    }

    func prepareQuery(_ head: Int, of step: StepRow, index: Int) {
        let query = projected.row(step.row) + head * shape.headSize
        normalizeAndRotate(query, index: index, weight: queryNorm)
        if let temperature {
            vectors.scale(query, shape.headSize, temperature.factor(at: step.position), query)
        }
    }

    func prepareKeyAndValue(_ head: Int, of step: StepRow, index: Int) {
        let key = projected.row(step.row) + (shape.queryHeadCount + head) * shape.headSize
        let value = key + shape.keyValueHeadCount * shape.headSize
        normalizeAndRotate(key, index: index, weight: keyNorm)

        let (block, place) = step.position.quotientAndRemainder(dividingBy: KeyValueLayer.blockSize)
        guard let block = step.blocks[block] else { return }
        let panelSize = KeyValueLayer.panelSize
        let (panel, column) = place.quotientAndRemainder(dividingBy: panelSize)
        let keys = block + head * shape.blockHeadSize + panel * shape.headSize * panelSize + column
        for element in 0..<shape.headSize { keys[element * panelSize] = key[element] }
        let values = block + head * shape.blockHeadSize + shape.blockValuesOffset + place * panelSize
        for start in stride(from: 0, to: shape.headSize, by: panelSize) {
            (values + start * KeyValueLayer.blockSize)
                .update(from: value + start, count: min(panelSize, shape.headSize - start))
        }
    }

    private func normalizeAndRotate(_ head: UnsafeMutablePointer<Float>, index: Int, weight: UnsafePointer<Float>?) {
        if let weight { vectors.rms_norm(head, weight, shape.headSize, epsilon, head) }
        if let rotations {
            let (cosines, sines) = (rotations.cosines(index), rotations.sines(index))
            switch pairing {
            case .interleaved: vectors.rotate_interleaved(head, cosines, sines, shape.headSize / 2)
            case .halfSplit: vectors.rotate_half_split(head, cosines, sines, shape.headSize / 2)
            }
        }
        if isNormalizedAfterRotation { vectors.rms_norm(head, nil, shape.headSize, epsilon, head) }
    }
}

extension AttentionTemperature {
    /// What a query at a position is multiplied by, in float32 as in transformers.
    fileprivate func factor(at position: Int) -> Float {
        log1p(((Float(position) + 1) / floorScale).rounded(.down)) * scale + 1
    }
}

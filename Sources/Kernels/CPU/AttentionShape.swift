/// The sizes of an attention layer that its cache depends on.
struct AttentionShape: Equatable {
    let queryHeadCount: Int
    let keyValueHeadCount: Int
    let headSize: Int
    let mask: AttentionMask

    /// The number of query heads that share a key head.
    var groupSize: Int { queryHeadCount / keyValueHeadCount }
    /// The head size in whole panels.
    var paddedHeadSize: Int {
        (headSize + KeyValueLayer.panelSize - 1) / KeyValueLayer.panelSize * KeyValueLayer.panelSize
    }
    /// The values that one head takes in a block of the cache: keys and then values.
    var blockHeadSize: Int { KeyValueLayer.blockSize * (headSize + paddedHeadSize) }
    /// Where a head's values begin, after its keys.
    var blockValuesOffset: Int { KeyValueLayer.blockSize * headSize }

    /// Checks the parts of an attention layer against each other.
    ///
    /// - Throws: ``KernelError`` if sizes are out of range or disagree.
    init(_ attention: Attention<CPUVector>) throws(KernelError) {
        queryHeadCount = attention.queryHeadCount
        keyValueHeadCount = attention.keyValueHeadCount
        headSize = attention.headSize
        mask = attention.mask
        let sizes = 1...65536
        guard sizes.contains(queryHeadCount), sizes.contains(keyValueHeadCount), sizes.contains(headSize),
            queryHeadCount.isMultiple(of: keyValueHeadCount)
        else {
            throw KernelError(
                "attention with \(queryHeadCount) query heads and \(keyValueHeadCount) key heads of size \(headSize)")
        }
        if case .slidingWindow(let size) = mask, size < 1 { throw KernelError("attention window of \(size)") }
        if case .chunked(let size) = mask, size < 1 { throw KernelError("attention chunk of \(size)") }
        if let rotary = attention.rotary, rotary.inverseFrequencies.count * 2 != headSize {
            throw KernelError("\(rotary.inverseFrequencies.count) rotary frequencies for heads of size \(headSize)")
        }
        if case .weightedBeforeRotation(let query, let key, _) = attention.headNorm,
            query.count != headSize || key.count != headSize
        {
            throw KernelError("head norms of \(query.count) and \(key.count) values for heads of size \(headSize)")
        }
        if let sinks = attention.sinks, sinks.count != queryHeadCount {
            throw KernelError("\(sinks.count) sinks for \(queryHeadCount) query heads")
        }
    }
}

/// The byte-pair encoding of pieces of text.
struct BytePairEncoder: Sendable {
    /// Longer pieces are cut, so that positions fit 32 bits.
    static let maximumWordByteCount = 1 << 30

    let vocabulary: Vocabulary
    let merges: MergeTable
    /// The token of each byte, or -1.
    let tokenOfByte: [Int32]
    /// Whether a piece that is a token becomes that token, whatever the merges say.
    let ignoresMerges: Bool

    /// Appends the tokens of a text.
    func append(_ text: PreTokenizedText, to ids: inout [Int]) {
        var chain = SymbolChain()
        var cache = WordCache(byteCount: text.bytes.count)
        text.bytes.withUnsafeBufferPointer { bytes in
            for piece in text.pieces {
                let word = UnsafeBufferPointer(rebasing: bytes[piece])
                let slot = cache.slot(of: word)
                if let slot, let known = cache.ids(of: piece, in: slot, bytes) {
                    for index in known { ids.append(ids[index]) }
                    continue
                }
                let start = ids.count
                append(word, using: &chain, to: &ids)
                if let slot { cache.store(piece, ids: start..<ids.count, in: slot) }
            }
        }
    }

    private func append(_ word: UnsafeBufferPointer<UInt8>, using chain: inout SymbolChain, to ids: inout [Int]) {
        if ignoresMerges, let id = vocabulary.id(of: word) { return ids.append(id) }
        var start = 0
        while start < word.count {
            let end = start + min(word.count - start, Self.maximumWordByteCount)
            chain.load(UnsafeBufferPointer(rebasing: word[start..<end]), tokenOfByte: tokenOfByte, merges)
            chain.merge(merges)
            chain.append(to: &ids)
            start = end
        }
    }
}

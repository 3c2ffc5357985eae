internal import HeapModule

/// The symbols of a word while they are merged: a linked list, and a heap of the merges that are possible.
///
/// Merging n bytes takes O(n log n) time. The storage is kept from word to word.
struct SymbolChain {
    private struct Symbol {
        /// The token, or -1 once it was merged into the symbol before it.
        var id: Int32
        /// The index of the next symbol, or -1.
        var next: Int32
        /// The index of the symbol before, or -1.
        var previous: Int32
        /// The merge with the next symbol; its rank is `noRank` if there is none.
        var merge: MergeTable.Merge
    }

    private static let noRank = UInt32.max

    private var symbols: [Symbol] = []
    /// `rank << 40 | index of the left symbol`: the lowest rank first, among equals the leftmost.
    private var queue: Heap<UInt64> = []

    /// Takes up a word of at most `Int32.max` bytes; a byte without a token is left out, as `tokenizers` does.
    mutating func load(_ word: UnsafeBufferPointer<UInt8>, tokenOfByte: [Int32], _ merges: MergeTable) {
        symbols.removeAll(keepingCapacity: true)
        for byte in word where tokenOfByte[Int(byte)] >= 0 {
            let index = Int32(symbols.count)
            symbols.append(
                Symbol(
                    id: tokenOfByte[Int(byte)], next: index + 1, previous: index - 1,
                    merge: MergeTable.Merge(rank: Self.noRank, result: -1)))
        }
        guard !symbols.isEmpty else { return }
        symbols[symbols.count - 1].next = -1
        var entries: [UInt64] = []
        for index in symbols.indices.dropLast() {
            guard let merge = merges[symbols[index].id, symbols[index + 1].id] else { continue }
            symbols[index].merge = merge
            entries.append(Self.entry(merge.rank, index))
        }
        queue = Heap(entries)
    }

    /// Makes all merges, in the order of their ranks.
    mutating func merge(_ merges: MergeTable) {
        while let entry = queue.popMin() {
            let index = Int(entry & (1 << 40 - 1))
            let left = symbols[index]
            // An entry is out of date once one of its symbols was merged.
            guard left.id >= 0, left.next >= 0, UInt64(left.merge.rank) == entry >> 40 else { continue }
            let right = symbols[Int(left.next)]
            symbols[Int(left.next)].id = -1
            symbols[index].id = left.merge.result
            symbols[index].next = right.next
            if right.next >= 0 { symbols[Int(right.next)].previous = Int32(index) }
            updateMerge(at: index, merges)
            if left.previous >= 0 { updateMerge(at: Int(left.previous), merges) }
        }
    }

    /// Looks up the merge of a symbol with its new next one.
    private mutating func updateMerge(at index: Int, _ merges: MergeTable) {
        let symbol = symbols[index]
        guard symbol.next >= 0, let merge = merges[symbol.id, symbols[Int(symbol.next)].id] else {
            symbols[index].merge = MergeTable.Merge(rank: Self.noRank, result: -1)
            return
        }
        symbols[index].merge = merge
        queue.insert(Self.entry(merge.rank, index))
    }

    private static func entry(_ rank: UInt32, _ index: Int) -> UInt64 { UInt64(rank) << 40 | UInt64(index) }

    /// Appends the tokens that are left.
    func append(to ids: inout [Int]) {
        var index = symbols.isEmpty ? -1 : 0
        while index >= 0 {
            ids.append(Int(symbols[index].id))
            index = Int(symbols[index].next)
        }
    }
}

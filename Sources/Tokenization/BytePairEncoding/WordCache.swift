/// The tokens of the words met before in a text: each slot holds the last word of its hash.
///
/// It holds no copies, only places in the text and in the ids made from it, and at most `maximumSlotCount` of them.
struct WordCache {
    private static let maximumSlotCount = 1 << 14
    private static let maximumWordByteCount = 64

    private struct Entry {
        var word = 0..<0
        var ids = 0..<0
    }

    private var entries: [Entry]

    /// A cache for a text of some length.
    init(byteCount: Int) {
        let wordCount = min(byteCount / 8, Self.maximumSlotCount)
        // Short texts repeat too little to be worth the memory.
        let slotCount = wordCount < 32 ? 0 : 1 << (Int.bitWidth - 1 - wordCount.leadingZeroBitCount)
        entries = Array(repeating: Entry(), count: slotCount)
    }

    /// The slot of a word, or nil if the cache does not keep words like it.
    func slot(of word: UnsafeBufferPointer<UInt8>) -> Int? {
        guard !entries.isEmpty, word.count > 1, word.count <= Self.maximumWordByteCount else { return nil }
        return Int(truncatingIfNeeded: SeededHash.shared(word)) & (entries.count - 1)
    }

    /// Where the tokens of a word are among the ids, if its slot holds it.
    func ids(of word: Range<Int>, in slot: Int, _ text: UnsafeBufferPointer<UInt8>) -> Range<Int>? {
        let entry = entries[slot]
        guard entry.word.count == word.count, text[entry.word].elementsEqual(text[word]) else { return nil }
        return entry.ids
    }

    /// Puts a word in its slot.
    mutating func store(_ word: Range<Int>, ids: Range<Int>, in slot: Int) {
        entries[slot] = Entry(word: word, ids: ids)
    }
}

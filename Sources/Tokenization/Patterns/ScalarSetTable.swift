/// Sets of scalars as two-level bitmaps, so that a membership test costs two loads.
struct ScalarSetTable: Sendable {
    private static let pagesPerSet = 0x1100

    /// For each set, the page of each block of 256 scalars.
    private var pageIndices: [UInt32] = []
    /// Four words a page, each page once.
    private var words: [UInt64] = []
    private var indexOfPage: [ArraySlice<UInt64>: UInt32] = [:]
    private var indexOfSet: [ScalarSet: Int] = [:]

    var count: Int { indexOfSet.count }

    /// The index of a set, which is added if it is new.
    mutating func insert(_ set: ScalarSet) -> Int {
        if let index = indexOfSet[set] { return index }
        let index = indexOfSet.count
        indexOfSet[set] = index
        var words = [UInt64](repeating: 0, count: Self.pagesPerSet * 4)
        for range in set.ranges {
            for word in Int(range.lowerBound >> 6)...Int(range.upperBound >> 6) {
                let first = UInt32(word) << 6
                let low = range.lowerBound > first ? range.lowerBound - first : 0
                let high = min(range.upperBound - first, 63)
                words[word] |= (UInt64.max << UInt64(low)) & (UInt64.max >> UInt64(63 - high))
            }
        }
        for page in 0..<Self.pagesPerSet {
            pageIndices.append(insertPage(words[page * 4..<page * 4 + 4]))
        }
        return index
    }

    private mutating func insertPage(_ bits: ArraySlice<UInt64>) -> UInt32 {
        if let index = indexOfPage[bits] { return index }
        let index = UInt32(words.count / 4)
        indexOfPage[ArraySlice(Array(bits))] = index
        words.append(contentsOf: bits)
        return index
    }

    /// Whether the set of that index has a member.
    @inline(__always)
    func contains(_ value: UInt32, inSet set: Int) -> Bool {
        let page = Int(pageIndices[set * Self.pagesPerSet + Int(value >> 8)])
        return words[page * 4 + Int(value >> 6 & 3)] >> UInt64(value & 63) & 1 != 0
    }
}

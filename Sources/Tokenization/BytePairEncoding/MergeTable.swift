/// The merge of each pair of tokens, in a hash table with linear probing.
struct MergeTable: Sendable {
    /// A merge: the lower its rank, the earlier it is made.
    struct Merge {
        let rank: UInt32
        let result: Int32
    }

    /// More merges than any JSON text within `JSONLimits` can hold; ranks fit 24 bits.
    static let maximumCount = 1 << 24

    private struct Slot {
        var pair: UInt64
        var merge: Merge
    }

    private var slots: [Slot]
    private let mask: Int

    /// An empty table with room for some merges.
    init(capacity: Int) {
        let slotCount = 1 << (Int.bitWidth - max(capacity, 1).leadingZeroBitCount + 1)
        slots = Array(repeating: Slot(pair: .max, merge: Merge(rank: 0, result: 0)), count: slotCount)
        mask = slotCount - 1
    }

    /// Sets the merge of a pair; of at most `capacity` pairs.
    mutating func set(_ left: Int32, _ right: Int32, to merge: Merge) {
        let pair = Self.pair(left, right)
        slots[slot(of: pair)] = Slot(pair: pair, merge: merge)
    }

    /// The merge of a pair, if there is one.
    subscript(left: Int32, right: Int32) -> Merge? {
        let pair = Self.pair(left, right)
        let slot = slots[slot(of: pair)]
        return slot.pair == pair ? slot.merge : nil
    }

    private static func pair(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    private func slot(of pair: UInt64) -> Int {
        var slot = Int(truncatingIfNeeded: SeededHash.shared(pair)) & mask
        while slots[slot].pair != pair, slots[slot].pair != .max { slot = (slot + 1) & mask }
        return slot
    }
}

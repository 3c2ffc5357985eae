/// An open-addressing hash table from keys to their positions in an array of members.
///
/// Hashes are seeded per process, so that a file cannot be made to collide.
struct JSONKeyTable: Sendable {
    /// Up to this many members a linear search is faster.
    static let smallestCount = 8

    /// Position + 1 of a member, or 0; the length is a power of two, at least twice the number of members.
    private var slots: [UInt32] = []
    private var memberCount = 0

    /// The position of `key` in `members`, whose every element has been entered.
    func position(of key: String, in members: [JSONObject.Element]) -> Int? {
        let mask = slots.count - 1
        var slot = Self.hash(key) & mask
        while slots[slot] != 0 {
            let position = Int(slots[slot]) - 1
            if members[position].key.hasSameBytes(as: key) { return position }
            slot = (slot + 1) & mask
        }
        return nil
    }

    /// Enters the members that have been appended since the last call; their keys must be new.
    mutating func extend(to members: [JSONObject.Element]) {
        if members.count * 2 > slots.count {
            var slotCount = 4 * Self.smallestCount
            while slotCount < 4 * members.count { slotCount *= 2 }
            slots = [UInt32](repeating: 0, count: slotCount)
            memberCount = 0
        }
        let mask = slots.count - 1
        for position in memberCount..<members.count {
            var slot = Self.hash(members[position].key) & mask
            while slots[slot] != 0 { slot = (slot + 1) & mask }
            slots[slot] = UInt32(position + 1)
        }
        memberCount = members.count
    }

    private static func hash(_ key: String) -> Int {
        var key = key
        var hasher = Hasher()
        key.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        return hasher.finalize()
    }
}

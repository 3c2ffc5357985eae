/// An open-addressing hash table from keys to their positions in an array of members.
///
/// Hashes are seeded per process, so that a file cannot be made to collide.
struct JSONKeyTable: Sendable {
    /// Position + 1 of a member, or 0; the length is a power of two, more than twice the number of members.
    private var slots: [UInt32]

    /// A table of members whose keys differ, with room for as many more.
    init(of members: [JSONObject.Element]) {
        var slotCount = 32
        while slotCount < 4 * members.count { slotCount *= 2 }
        slots = [UInt32](repeating: 0, count: slotCount)
        for (position, member) in members.enumerated() {
            var slot = firstSlot(of: member.key)
            while slots[slot] != 0 { slot = (slot + 1) & (slotCount - 1) }
            slots[slot] = UInt32(position + 1)
        }
    }

    /// The slot that holds `key`, or the free one in which it belongs.
    func slot(of key: String, in members: [JSONObject.Element]) -> Int {
        var slot = firstSlot(of: key)
        while let position = position(in: slot), !members[position].key.hasSameBytes(as: key) {
            slot = (slot + 1) & (slots.count - 1)
        }
        return slot
    }

    /// The position of the member in a slot, or nil if the slot is free.
    func position(in slot: Int) -> Int? { slots[slot] == 0 ? nil : Int(slots[slot]) - 1 }

    /// Enters the last of the members into its slot.
    mutating func enterLast(of members: [JSONObject.Element], in slot: Int) {
        if 2 * members.count < slots.count {
            slots[slot] = UInt32(members.count)
        } else {
            self = JSONKeyTable(of: members)
        }
    }

    private func firstSlot(of key: String) -> Int {
        var key = key
        var hasher = Hasher()
        key.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        return hasher.finalize() & (slots.count - 1)
    }
}

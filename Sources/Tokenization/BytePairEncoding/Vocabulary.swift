/// The bytes of each token and, for the tokens of the model, the token of some bytes.
struct Vocabulary: Sendable {
    private struct Extent {
        var offset: UInt32
        var count: UInt32

        static let absent = Extent(offset: .max, count: 0)
    }

    /// The bytes of all tokens, one after the other.
    private var bytes: [UInt8] = []
    private var extents: [Extent] = []
    /// Ids by the hash of their bytes, with linear probing; -1 is free.
    private var slots: [Int32]
    private var slotMask: Int

    /// The highest id, plus 1.
    var size: Int { extents.count }

    /// An empty vocabulary with room for some tokens of a model.
    init(capacity: Int) {
        let slotCount = 1 << (Int.bitWidth - max(capacity, 1).leadingZeroBitCount + 1)
        slots = [Int32](repeating: -1, count: slotCount)
        slotMask = slotCount - 1
    }

    /// Adds a token, and returns false if its id is taken.
    ///
    /// - Parameter isEncodable: whether byte-pair encoding can produce it; of these there are at most `capacity`.
    mutating func insert(_ token: some Collection<UInt8>, id: Int, isEncodable: Bool) -> Bool {
        if id >= extents.count {
            extents.append(contentsOf: repeatElement(.absent, count: id + 1 - extents.count))
        }
        guard extents[id].offset == .max else { return false }
        extents[id] = Extent(offset: UInt32(bytes.count), count: UInt32(token.count))
        bytes.append(contentsOf: token)
        if isEncodable {
            let range = range(of: id)
            let free = bytes.withUnsafeBufferPointer { slot(of: UnsafeBufferPointer(rebasing: $0[range])) }
            slots[free] = Int32(id)
        }
        return true
    }

    /// The bytes of a token, or nil if there is none of that id.
    subscript(id: Int) -> ArraySlice<UInt8>? {
        guard extents.indices.contains(id), extents[id].offset != .max else { return nil }
        return bytes[range(of: id)]
    }

    /// The token of the model that stands for some bytes.
    func id(of token: UnsafeBufferPointer<UInt8>) -> Int? {
        let id = slots[slot(of: token)]
        return id < 0 ? nil : Int(id)
    }

    /// The token of the model that stands for some bytes.
    func id(of token: [UInt8]) -> Int? { token.withUnsafeBufferPointer { id(of: $0) } }

    private func range(of id: Int) -> Range<Int> {
        let start = Int(extents[id].offset)
        return start..<start + Int(extents[id].count)
    }

    /// The slot that holds the token of some bytes, or the free one where it belongs.
    private func slot(of token: UnsafeBufferPointer<UInt8>) -> Int {
        var slot = Int(truncatingIfNeeded: SeededHash.shared(token)) & slotMask
        while slots[slot] >= 0 {
            let candidate = range(of: Int(slots[slot]))
            if candidate.count == token.count, bytes[candidate].elementsEqual(token) { break }
            slot = (slot + 1) & slotMask
        }
        return slot
    }
}

/// A prefix tree of byte strings, to find the longest that starts at a place.
struct TokenTrie: Sendable {
    private var childOfRoot = [Int32](repeating: -1, count: 256)
    /// The node by its parent and byte: `parent << 8 | byte`.
    private var children: [Int: Int32] = [:]
    /// The value that ends at each node, or -1.
    private var values: [Int32] = []

    var isEmpty: Bool { values.isEmpty }

    /// Adds a string; an empty one or one that is there already changes nothing.
    mutating func insert(_ bytes: [UInt8], value: Int32) {
        guard let first = bytes.first else { return }
        if childOfRoot[Int(first)] < 0 { childOfRoot[Int(first)] = addNode() }
        var node = childOfRoot[Int(first)]
        for byte in bytes.dropFirst() {
            let key = Int(node) << 8 | Int(byte)
            if let child = children[key] {
                node = child
            } else {
                let child = addNode()
                children[key] = child
                node = child
            }
        }
        if values[Int(node)] < 0 { values[Int(node)] = value }
    }

    private mutating func addNode() -> Int32 {
        values.append(-1)
        return Int32(values.count - 1)
    }

    /// The value and the end of the longest string that starts at a place.
    func longestMatch(in text: UnsafeBufferPointer<UInt8>, at start: Int) -> (value: Int32, end: Int)? {
        var node = childOfRoot[Int(text[start])]
        guard node >= 0 else { return nil }
        var longest: (value: Int32, end: Int)?
        var end = start + 1
        while true {
            if values[Int(node)] >= 0 { longest = (values[Int(node)], end) }
            guard end < text.count, let child = children[Int(node) << 8 | Int(text[end])] else { return longest }
            node = child
            end += 1
        }
    }
}

/// The members of a JSON object, in the order of the text.
///
/// Keys are equal if their bytes are, as RFC 8259 (section 8.3) has it; Swift's own `==` also equates strings that differ
/// in Unicode normalization, which the vocabulary of a tokenizer must keep apart.
public struct JSONObject: Sendable {
    /// A key with its value.
    public typealias Element = (key: String, value: JSON)

    /// Up to this many members a linear search is faster than a table.
    private static let linearCount = 8

    private var members: [Element] = []
    /// Finds members by key once there are many.
    private var table: JSONKeyTable?

    /// An object without members.
    public init() {}

    /// The value of a key; setting it appends a new key, and setting nil removes the key.
    ///
    /// - Complexity: O(1) on average; removal is O(`count`).
    public subscript(key: String) -> JSON? {
        get { position(of: key).map { members[$0].value } }
        set {
            if let newValue {
                updateValue(newValue, forKey: key)
            } else if let position = position(of: key) {
                members.remove(at: position)
                table = members.count > Self.linearCount ? JSONKeyTable(of: members) : nil
            }
        }
    }

    /// Sets the value of a key, appending the key if it is new, and returns the value it had.
    @discardableResult
    public mutating func updateValue(_ value: JSON, forKey key: String) -> JSON? {
        let slot = table?.slot(of: key, in: members)
        if let position = position(of: key, slot: slot) {
            let previous = members[position].value
            members[position].value = value
            return previous
        }
        members.append((key, value))
        if let slot {
            table?.enterLast(of: members, in: slot)
        } else if members.count > Self.linearCount {
            table = JSONKeyTable(of: members)
        }
        return nil
    }

    /// The keys, in order.
    public var keys: [String] { members.map(\.key) }

    private func position(of key: String) -> Int? {
        position(of: key, slot: table?.slot(of: key, in: members))
    }

    private func position(of key: String, slot: Int?) -> Int? {
        if let slot { return table?.position(in: slot) }
        return members.firstIndex { $0.key.hasSameBytes(as: key) }
    }
}

extension JSONObject: RandomAccessCollection {
    /// The position of the first member, 0.
    public var startIndex: Int { 0 }
    /// The number of members.
    public var endIndex: Int { members.count }
    /// The member at a position.
    public subscript(position: Int) -> Element { members[position] }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    /// An object with these members; of two with the same key, the later one's value.
    public init(dictionaryLiteral elements: (String, JSON)...) {
        for (key, value) in elements { updateValue(value, forKey: key) }
    }
}

extension JSONObject: Equatable {
    /// Whether both have equal members in the same order.
    public static func == (left: JSONObject, right: JSONObject) -> Bool {
        left.elementsEqual(right) { $0.key.hasSameBytes(as: $1.key) && $0.value == $1.value }
    }
}

extension String {
    func hasSameBytes(as other: String) -> Bool { utf8.elementsEqual(other.utf8) }
}

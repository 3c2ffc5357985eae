internal import ModelFiles
internal import OrderedCollections

extension BytePairEncoder {
    /// Reads `model`, and gives the added tokens that it lacks their places in the vocabulary.
    init(_ field: JSONField, _ addedTokens: AddedTokens) throws(ModelFileError) {
        if let type = try field.optionalMember("type"), try type.string() != "BPE" {
            throw type.unsupported(try type.string(), "BPE")
        }
        try Self.refuseUnsupported(field)
        vocabulary = try Vocabulary(try field.member("vocab"), addedTokens)
        merges = try MergeTable(try field.member("merges"), vocabulary)
        tokenOfByte = (UInt8.min...UInt8.max).map { [vocabulary] byte in Int32(vocabulary.id(of: [byte]) ?? -1) }
        ignoresMerges = try field.optionalMember("ignore_merges")?.boolean() ?? false
        if let unknown = try field.optionalMember("unk_token"), try unknown.string() != "", !isComplete {
            throw unknown.unsupported(try unknown.string(), "null, as some bytes have no token")
        }
    }

    /// Whether every byte that occurs in UTF-8 has a token, so that nothing is ever unknown.
    private var isComplete: Bool {
        tokenOfByte.enumerated().allSatisfy { byte, token in
            token >= 0 || byte == 0xC0 || byte == 0xC1 || byte >= 0xF5
        }
    }

    private static func refuseUnsupported(_ field: JSONField) throws(ModelFileError) {
        for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
            if let affix = try field.optionalMember(key), try affix.string() != "" {
                throw affix.unsupported(try affix.string(), "null")
            }
        }
        if let byteFallback = try field.optionalMember("byte_fallback"), try byteFallback.boolean() {
            throw byteFallback.error(.unsupported, "found true, supported: false")
        }
        if let dropout = try field.optionalMember("dropout"), dropout.value != .integer(0), dropout.value != .number(0)
        {
            throw dropout.error(.unsupported, "found \(dropout.value.typeName), supported: null and 0")
        }
    }
}

extension Vocabulary {
    /// Reads `model.vocab`.
    fileprivate init(_ field: JSONField, _ addedTokens: AddedTokens) throws(ModelFileError) {
        guard case .object(let members) = field.value else {
            throw field.error(.mismatched, "found \(field.value.typeName), expected an object")
        }
        self.init(capacity: members.count)
        var bytes: [UInt8] = []
        for (token, value) in members {
            let id = try field.tokenID(value, of: token)
            bytes.removeAll(keepingCapacity: true)
            let isEncodable = ByteLevelAlphabet.decode(token, into: &bytes)
            if !isEncodable {
                guard let added = addedTokens.token(of: token), added.id == id else {
                    throw field.error(
                        .malformed,
                        "\(token.quotedForMessage) is neither byte-level nor an added token of the same id \(id)")
                }
                bytes.append(contentsOf: token.utf8)
            }
            guard insert(bytes, id: id, isEncodable: isEncodable) else {
                throw field.error(.malformed, "\(token.quotedForMessage) has the id \(id) of another token")
            }
        }
        try insert(addedTokens, field)
    }

    private mutating func insert(_ addedTokens: AddedTokens, _ field: JSONField) throws(ModelFileError) {
        for token in addedTokens.tokens {
            var bytes: [UInt8] = []
            let isEncodable = ByteLevelAlphabet.decode(token.content, into: &bytes)
            if isEncodable, let id = id(of: bytes), id != token.id {
                throw field.error(
                    .malformed,
                    "\(token.content.quotedForMessage) has the id \(id), but \(token.id) in added_tokens")
            }
            if !isEncodable { bytes.append(contentsOf: token.content.utf8) }
            guard insert(bytes, id: token.id, isEncodable: false) || self[token.id]?.elementsEqual(bytes) == true else {
                throw field.error(
                    .malformed,
                    "the id \(token.id) belongs to another token than \(token.content.quotedForMessage) of added_tokens"
                )
            }
        }
    }
}

extension MergeTable {
    /// Reads `model.merges`: `"a b"` or `["a", "b"]`, in the order of their ranks.
    fileprivate init(_ field: JSONField, _ vocabulary: Vocabulary) throws(ModelFileError) {
        guard case .array(let elements) = field.value, elements.count < Self.maximumCount else {
            throw field.error(
                .mismatched, "found \(field.value.typeName), expected an array of less than \(Self.maximumCount) merges"
            )
        }
        self.init(capacity: elements.count)
        var bytes: [UInt8] = []
        for (rank, element) in elements.enumerated() {
            func error(_ message: String) -> ModelFileError {
                JSONField(value: element, path: "\(field.path)[\(rank)]", file: field.file)
                    .error(.malformed, message)
            }
            guard let (left, right) = Self.pair(element) else { throw error("expected \"a b\" or [\"a\", \"b\"]") }
            func id(of token: String) throws(ModelFileError) -> Int {
                if ByteLevelAlphabet.decode(token, into: &bytes), let id = vocabulary.id(of: bytes) { return id }
                throw error("\(token.quotedForMessage) is not in the vocabulary")
            }
            bytes.removeAll(keepingCapacity: true)
            let leftID = try id(of: left)
            bytes.removeAll(keepingCapacity: true)
            let rightID = try id(of: right)
            bytes.removeAll(keepingCapacity: true)
            let resultID = try id(of: left + right)
            set(Int32(leftID), Int32(rightID), to: Merge(rank: UInt32(rank), result: Int32(resultID)))
        }
    }

    private static func pair(_ element: JSON) -> (left: String, right: String)? {
        switch element {
        case .string(let text):
            let parts = text.utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
            guard parts.count == 2 else { return nil }
            return (String(Substring(parts[0])), String(Substring(parts[1])))
        case .array(let parts):
            guard parts.count == 2, case .string(let left) = parts[0], case .string(let right) = parts[1] else {
                return nil
            }
            return (left, right)
        default: return nil
        }
    }
}

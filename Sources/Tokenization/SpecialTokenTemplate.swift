internal import ModelFiles

/// The special tokens that the post-processor puts around a text.
struct SpecialTokenTemplate: Sendable {
    private static let maximumTokenCount = 256

    private(set) var beginTokenIDs: [Int] = []
    private(set) var endTokenIDs: [Int] = []

    /// Reads `post_processor`, which may be absent: `ByteLevel`, which adds nothing, and `TemplateProcessing`, of which
    /// the part for a single text counts.
    init(_ field: JSONField?, _ vocabulary: Vocabulary) throws(ModelFileError) {
        guard let field else { return }
        for element in try field.flattened(by: "processors") {
            let type = try element.type()
            switch type {
            case "ByteLevel": break
            case "TemplateProcessing": try addTemplate(element, vocabulary)
            default: throw element.unsupported(type, "null, ByteLevel, TemplateProcessing and Sequence")
            }
        }
    }

    private mutating func addTemplate(_ field: JSONField, _ vocabulary: Vocabulary) throws(ModelFileError) {
        let template = try field.member("single")
        let specialTokens = try field.member("special_tokens")
        var before: [Int] = []
        var after: [Int] = []
        var textCount = 0
        for piece in try template.elements() {
            if let sequence = try piece.optionalMember("Sequence") {
                let name = try sequence.member("id").string()
                guard name == "A" else { throw sequence.unsupported(name, "A") }
                textCount += 1
            } else {
                let name = try piece.member("SpecialToken").member("id")
                for id in try specialTokens.member(try name.string()).member("ids").elements() {
                    let tokenID = try id.tokenID()
                    guard vocabulary[tokenID] != nil else {
                        throw id.error(.malformed, "the id \(tokenID) belongs to no token")
                    }
                    if textCount == 0 { before.append(tokenID) } else { after.append(tokenID) }
                    guard before.count + after.count <= Self.maximumTokenCount else {
                        throw template.error(
                            .unsupported, "found more than the \(Self.maximumTokenCount) tokens that are supported")
                    }
                }
            }
        }
        guard textCount == 1 else {
            throw template.error(.unsupported, "found the sequence A \(textCount) times, supported: once")
        }
        beginTokenIDs = before + beginTokenIDs
        endTokenIDs += after
    }
}

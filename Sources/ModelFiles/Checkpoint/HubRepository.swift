/// A model repository of the Hugging Face Hub, as it lies in the cache of its tools.
///
/// Source: the cache layout documented by `huggingface_hub`: `models--ORG--NAME/refs/REVISION` holds the hash of a
/// commit, `models--ORG--NAME/snapshots/HASH` the files.
struct HubRepository {
    let organisation: String
    let name: String
    let revision: String?

    /// Nil if the text is not `ORGANISATION/NAME` or `ORGANISATION/NAME@REVISION`.
    init?(_ text: String) {
        let atSign = text.firstIndex(of: "@")
        let parts = text[..<(atSign ?? text.endIndex)].split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy(Self.isName) else { return nil }
        organisation = String(parts[0])
        name = String(parts[1])
        revision = atSign.map { String(text[text.index(after: $0)...]) }
        // A revision may be `refs/pr/1`, but must not leave the repository's folder.
        let revisionParts = revision?.split(separator: "/", omittingEmptySubsequences: false) ?? []
        guard revisionParts.allSatisfy(Self.isName) else { return nil }
    }

    /// The folder in which the tools keep repositories, or nil if the environment does not tell.
    static func cacheFolder(environment: [String: String]) -> String? {
        let home = environment["HOME"].flatMap { $0.isEmpty ? nil : $0 }
        let places = [
            ("HF_HUB_CACHE", ""), ("HUGGINGFACE_HUB_CACHE", ""), ("HF_HOME", "hub"),
            ("XDG_CACHE_HOME", "huggingface/hub"), ("HOME", ".cache/huggingface/hub"),
        ]
        for (variable, folder) in places {
            guard var path = environment[variable], !path.isEmpty else { continue }
            if let home, path == "~" || path.hasPrefix("~/") { path = home + path.dropFirst() }
            return folder.isEmpty ? path : path.appendingPathComponent(folder)
        }
        return nil
    }

    /// The folder of the repository's files.
    func snapshot(inCache cache: String) throws(ModelFileError) -> String {
        let repository = cache.appendingPathComponent("models--\(organisation)--\(name)")
        guard FileSystem.kind(of: repository) == .folder else {
            throw failure("the model is not in the Hugging Face cache (no folder \(repository))")
        }
        for commit in [try commit(of: revision ?? "main", in: repository), revision].compactMap({ $0 }) {
            let snapshot = repository + "/snapshots/" + commit
            if FileSystem.kind(of: snapshot) == .folder { return snapshot }
        }
        throw failure("the Hugging Face cache has no files of revision \(revision ?? "main") in \(repository)")
    }

    /// The commit that a branch or tag points to.
    private func commit(of revision: String, in repository: String) throws(ModelFileError) -> String? {
        let reference = repository + "/refs/" + revision
        guard FileSystem.kind(of: reference) == .file else { return nil }
        let text = try MappedFile(path: reference).withBytes { String(decoding: $0.prefix(128), as: UTF8.self) }
            .filter { !$0.isWhitespace }
        guard !text.isEmpty, text.allSatisfy({ $0.isASCII && $0.isHexDigit }) else {
            throw ModelFileError(.malformed, file: reference, "expected the hash of a commit")
        }
        return text
    }

    private func failure(_ message: String) -> ModelFileError {
        let flag = revision.map { " --revision \($0)" } ?? ""
        return ModelFileError(
            .inaccessible, file: "\(organisation)/\(name)",
            "\(message); download it with: hf download \(organisation)/\(name)\(flag)")
    }

    /// What the Hub allows, and nothing that a shell or a file system would read otherwise.
    private static func isName(_ text: Substring) -> Bool {
        (1...96).contains(text.utf8.count) && text.first != "." && text.first != "-"
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
    }
}

public import ModelFiles

extension ChatTemplate {
    /// Loads the chat template of a folder in the layout of Hugging Face repositories.
    ///
    /// The template is `chat_template.jinja`, or else `chat_template` in `tokenizer_config.json`: a text, or a list of
    /// named texts of which `default` is taken. The special tokens come from `tokenizer_config.json`, or else from
    /// `special_tokens_map.json`.
    ///
    /// - Parameter folder: the path of the model's folder.
    /// - Returns: nil if the model has no chat template.
    /// - Throws: ``ModelFileError`` if a file cannot be read or has an entry of another form, or if the template cannot
    ///   be parsed.
    public static func load(folder: String) throws(ModelFileError) -> ChatTemplate? {
        let config = try configuration("tokenizer_config.json", in: folder)
        guard let source = try source(folder: folder, config: config) else { return nil }
        var tokens: JSONObject = [:]
        for config in [try configuration("special_tokens_map.json", in: folder), config] {
            for name in tokenNames {
                if let token = try config?.token(name) { tokens[name] = .string(token) }
            }
        }
        do {
            return try ChatTemplate(parsing: source.text, name: source.file.lastPathComponent, specialTokens: tokens)
        } catch {
            let message = "line \(error.line): \(error.message)"
            throw ModelFileError(.malformed, file: source.file, item: source.item, message)
        }
    }

    /// The special tokens that transformers passes to a template.
    private static let tokenNames = [
        "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token",
    ]

    private static func configuration(_ name: String, in folder: String) throws(ModelFileError) -> ConfigObject? {
        let path = folder.appendingPathComponent(name)
        guard FileSystem.kind(of: path) != .missing else { return nil }
        return try ConfigObject(contentsOf: path)
    }

    private typealias Source = (text: String, file: String, item: String?)

    private static func source(folder: String, config: ConfigObject?) throws(ModelFileError) -> Source? {
        let path = folder.appendingPathComponent("chat_template.jinja")
        guard FileSystem.kind(of: path) == .missing else {
            let text = try MappedFile(path: path).withBytes { String(validating: $0, as: UTF8.self) }
            guard let text else { throw ModelFileError(.malformed, file: path, "the template is not valid UTF-8") }
            return (text, path, nil)
        }
        guard let config, let text = try config.defaultTemplate() else { return nil }
        return (text, config.file, "chat_template")
    }
}

extension ConfigObject {
    /// The text of `chat_template`, or of the one named `default` in a list.
    fileprivate func defaultTemplate() throws(ModelFileError) -> String? {
        let key = "chat_template"
        switch self[key] {
        case nil: return nil
        case .string(let text): return text
        case .array(let templates):
            var names: [String] = []
            for (index, template) in templates.enumerated() {
                let template = try ConfigObject(template, file: file, path: "\(key)[\(index)]")
                let name = try template.string("name")
                if name == "default" { return try template.string("template") }
                names.append(name.quotedForMessage)
            }
            let found = names.prefix(8).joined(separator: ", ")
            throw error(.missing, key, "expected a template named 'default', found \(found.isEmpty ? "none" : found)")
        case .some(let value):
            throw error(.mismatched, key, "expected a string or an array of templates, found \(value.typeName)")
        }
    }

    /// The text of a special token: a string, or an object with the string as `content`.
    fileprivate func token(_ key: String) throws(ModelFileError) -> String? {
        guard case .object = self[key] else { return try optionalString(key) }
        return try object(key).string("content")
    }
}

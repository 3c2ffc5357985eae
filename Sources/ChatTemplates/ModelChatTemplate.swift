public import ModelFiles
public import OrderedCollections

/// The chat template of a model's folder and the special tokens that it may print.
public struct ModelChatTemplate: Sendable {
    /// The template.
    public let template: ChatTemplate
    /// The special tokens by the names of their variables: `bos_token`, `eos_token`, `pad_token`, ….
    public let tokens: OrderedDictionary<String, String>

    /// Loads the chat template of a folder: `chat_template.jinja`, or else `chat_template` in `tokenizer_config.json`,
    /// which is a text or a list of named texts of which `default` is taken.
    ///
    /// The special tokens come from `tokenizer_config.json`, or else from `special_tokens_map.json`.
    ///
    /// - Parameter folder: the path of the model's folder.
    /// - Returns: nil if the model has no chat template.
    /// - Throws: ``ModelFileError`` if a file cannot be read or has an entry of another form, or the template cannot be
    ///   parsed.
    public static func load(folder: String) throws(ModelFileError) -> ModelChatTemplate? {
        let configuration = try JSONFile(folder: folder, name: "tokenizer_config.json")
        let map = try JSONFile(folder: folder, name: "special_tokens_map.json")
        let source: (text: String, file: String, item: String?)
        let templatePath = folder + "/chat_template.jinja"
        if let text = try TextFile.read(templatePath, limit: TemplateLimits.sourceBytes) {
            source = (text, templatePath, nil)
        } else if let text = try configuration?.template() {
            source = (text, configuration?.path ?? folder, "chat_template")
        } else {
            return nil
        }
        var tokens = try map?.tokens() ?? [:]
        tokens.merge(try configuration?.tokens() ?? [:]) { _, configured in configured }
        do {
            let template = try ChatTemplate(parsing: source.text, name: source.item ?? "chat_template.jinja")
            return ModelChatTemplate(template: template, tokens: tokens)
        } catch {
            throw ModelFileError(.malformed, file: source.file, item: source.item, "line \(error.line): \(error.message)")
        }
    }
}

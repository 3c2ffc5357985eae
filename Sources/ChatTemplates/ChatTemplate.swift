public import ModelFiles
public import OrderedCollections

/// A chat template: the Jinja program that turns messages into the text that a model was trained on.
///
/// It renders what `apply_chat_template` of transformers renders, byte for byte: Jinja 3.1 with `trim_blocks`,
/// `lstrip_blocks`, loop controls, the immutable sandbox, and transformers' own `tojson`, `raise_exception`,
/// `strftime_now` and `generation` block. Integers have 64 bits. A template reads nothing but its context and the
/// clock, and ``TemplateLimits`` stop every program.
public struct ChatTemplate: Sendable {
    /// How errors call the template.
    public let name: String
    private let statements: [Statement]

    /// Parses a template.
    ///
    /// - Parameters:
    ///   - source: the text of the template.
    ///   - name: how errors call it, such as the path of its file.
    /// - Throws: ``TemplateError`` with the line at which the text stops being a template.
    public init(parsing source: String, name: String) throws(TemplateError) {
        self.name = name
        statements = try Parser.parse(source, template: name)
    }

    /// Renders the template.
    ///
    /// - Parameters:
    ///   - context: the variables, such as `messages`, `tools`, `add_generation_prompt` and `bos_token`.
    ///   - limits: what the rendering may cost.
    ///   - now: the clock that `strftime_now` reads.
    /// - Throws: ``TemplateError`` with the line of the operation that failed.
    public func render(
        _ context: OrderedDictionary<String, JSON>, limits: TemplateLimits = TemplateLimits(),
        now: @escaping () -> CalendarTime = CalendarTime.current
    ) throws(TemplateError) -> String {
        var line = 1
        do {
            let evaluator = try Evaluator(context: context, limits: limits, now: now)
            defer { line = evaluator.line }
            return try evaluator.render(statements)
        } catch {
            throw TemplateError(code: error.code, template: name, line: line, message: error.message)
        }
    }
}

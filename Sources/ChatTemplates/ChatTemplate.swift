public import ModelFiles

/// A chat template: the Jinja program that turns messages into the text that a model was trained on.
///
/// It renders what `apply_chat_template` of transformers renders, byte for byte: Jinja 3.1 with `trim_blocks`,
/// `lstrip_blocks`, loop controls, the immutable sandbox, and transformers' own `tojson`, `raise_exception`,
/// `strftime_now` and `generation` block. Integers have 64 bits. A template reads nothing but its variables and the
/// clock, and ``TemplateLimits`` stop every program.
public struct ChatTemplate: Sendable {
    /// How errors call the template.
    public let name: String
    /// The special tokens of the model as variables: `bos_token`, `eos_token`, ….
    public let specialTokens: JSONObject
    private let statements: [Statement]

    /// Parses a template.
    ///
    /// - Parameters:
    ///   - source: the text of the template.
    ///   - name: how errors call it, such as the name of its file.
    ///   - specialTokens: variables that every rendering has.
    /// - Throws: ``TemplateError`` with the line at which the text stops being a template.
    public init(parsing source: String, name: String, specialTokens: JSONObject = [:]) throws(TemplateError) {
        self.name = name
        self.specialTokens = specialTokens
        statements = try Parser.parse(source, template: name)
    }

    /// Renders the template.
    ///
    /// - Parameters:
    ///   - variables: `messages`, `tools`, `add_generation_prompt`, …; they override the special tokens.
    ///   - limits: what the rendering may cost.
    ///   - now: the clock that `strftime_now` reads.
    /// - Throws: ``TemplateError`` with the line of the operation that failed.
    public func render(
        _ variables: JSONObject, limits: TemplateLimits = TemplateLimits(),
        now: @escaping () -> CalendarTime = CalendarTime.current
    ) throws(TemplateError) -> String {
        let evaluator = Evaluator(limits: limits, now: now)
        do {
            try evaluator.define(specialTokens)
            try evaluator.define(variables)
            return try evaluator.render(statements)
        } catch {
            throw TemplateError(code: error.code, template: name, line: evaluator.line, message: error.message)
        }
    }
}

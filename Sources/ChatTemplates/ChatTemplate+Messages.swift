public import ModelFiles
public import OrderedCollections

/// A message of a conversation.
public struct ChatMessage: Sendable, Equatable {
    /// Who speaks: `system`, `user`, `assistant`, or another role that the template knows.
    public var role: String
    /// What is said.
    public var content: String

    /// A message.
    public init(role: String, content: String) {
        self.role = role
        self.content = content
    }
}

extension ChatTemplate {
    /// Renders a conversation, with the variables that transformers passes to a template.
    ///
    /// - Parameters:
    ///   - messages: the conversation, oldest first.
    ///   - addGenerationPrompt: whether the text ends where the assistant's answer begins.
    ///   - tokens: the special tokens as variables: `bos_token`, `eos_token`, …; see ``ModelChatTemplate``.
    ///   - variables: further variables, such as `tools` or `enable_thinking`.
    ///   - limits: what the rendering may cost.
    ///   - now: the clock that `strftime_now` reads.
    /// - Throws: ``TemplateError`` with the line of the operation that failed.
    public func render(
        messages: [ChatMessage], addGenerationPrompt: Bool, tokens: OrderedDictionary<String, String> = [:],
        variables: OrderedDictionary<String, JSON> = [:], limits: TemplateLimits = TemplateLimits(),
        now: @escaping () -> CalendarTime = CalendarTime.current
    ) throws(TemplateError) -> String {
        var context = tokens.mapValues(JSON.string)
        context["messages"] = .array(
            messages.map { .object(["role": .string($0.role), "content": .string($0.content)]) })
        context["tools"] = .null
        context["documents"] = .null
        context["add_generation_prompt"] = .bool(addGenerationPrompt)
        context.merge(variables) { _, given in given }
        return try render(context, limits: limits, now: now)
    }
}

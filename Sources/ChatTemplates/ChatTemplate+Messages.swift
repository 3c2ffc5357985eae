public import ModelFiles

extension ChatTemplate {
    /// Renders a conversation, with the variables that transformers passes to a template.
    ///
    /// - Parameters:
    ///   - messages: the conversation, oldest first.
    ///   - addGenerationPrompt: whether the text ends where the assistant's answer begins.
    ///   - variables: further variables, such as `tools` or `enable_thinking`.
    ///   - limits: what the rendering may cost.
    ///   - now: the clock that `strftime_now` reads.
    /// - Throws: ``TemplateError`` with the line of the operation that failed.
    public func render(
        messages: [ChatMessage], addGenerationPrompt: Bool = true, variables: JSONObject = [:],
        limits: TemplateLimits = TemplateLimits(), now: @escaping () -> CalendarTime = CalendarTime.current
    ) throws(TemplateError) -> String {
        let messages = messages.map { JSON.object(["role": .string($0.role), "content": .string($0.content)]) }
        var all: JSONObject = [
            "messages": .array(messages), "tools": .null, "documents": .null,
            "add_generation_prompt": .bool(addGenerationPrompt),
        ]
        for (name, value) in variables { all[name] = value }
        return try render(all, limits: limits, now: now)
    }
}

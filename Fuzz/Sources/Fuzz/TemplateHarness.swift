import ChatTemplates
import ModelFiles

private let parameters: JSONObject = [
    "type": .string("object"),
    "properties": .object(["city": .object(["type": .string("string")])]),
]
private let tool: JSONObject = [
    "type": .string("function"),
    "function": .object([
        "name": .string("weather"), "description": .string("The weather."), "parameters": .object(parameters),
    ]),
]
private let messages: [ChatMessage] = [
    ChatMessage(role: "system", content: "Be brief."),
    ChatMessage(role: "user", content: " <b>What's \"it\" & \u{E9}?</b>\n"),
    ChatMessage(role: "assistant", content: "<think>\nhm\n</think>\n\n42"),
    ChatMessage(role: "user", content: "Why?"),
]
private let specialTokens: JSONObject = ["bos_token": .string("<s>"), "eos_token": .string("</s>")]
private let variables: JSONObject = [
    "tools": .array([.object(tool)]), "n": .integer(7), "x": .number(1.5), "s": .string("  Ab,cD "),
    "empty": .array([]), "enable_thinking": .bool(true),
]
/// A tenth of the defaults and less, because the sanitizers make everything as much slower.
private let limits = TemplateLimits(steps: 20_000, outputBytes: 256 << 10, work: 1 << 20)

/// The input is a chat template, rendered with a fixed conversation and clock.
func fuzzTemplate(_ input: UnsafeRawBufferPointer) {
    refusing {
        let template = try ChatTemplate(
            parsing: String(decoding: input, as: UTF8.self), name: "chat_template.jinja", specialTokens: specialTokens)
        let output = try template.render(
            messages: messages, variables: variables, limits: limits,
            now: { CalendarTime(year: 2026, month: 11, day: 22) })
        precondition(output.utf8.count <= limits.outputBytes, "more output than the limit")
    }
}

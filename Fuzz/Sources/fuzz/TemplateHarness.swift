import ChatTemplates
import ModelFiles

/// A chat template, rendered for a conversation with tools within limits that keep every input short.
@Sendable func fuzzTemplate(_ bytes: UnsafeRawBufferPointer) {
    guard let source = String(validating: bytes, as: UTF8.self),
        let template = try? ChatTemplate(parsing: source, name: "fuzz.jinja")
    else { return }
    let limits = TemplateLimits(steps: 20_000, outputBytes: 1 << 18, work: 1 << 20)
    _ = try? template.render(conversation, limits: limits, now: { CalendarTime(year: 2026, month: 7, day: 4) })
}

private let conversation: JSONObject = [
    "bos_token": .string("<s>"), "add_generation_prompt": .bool(true), "n": .integer(7), "x": .number(2.5),
    "messages": .array([
        .object(["role": .string("system"), "content": .string("Be \"brief\" & <kind>.\n")]),
        .object([
            "role": .string("user"), "content": .array([.object(["type": .string("text"), "text": .string("Hi")])]),
        ]),
        .object([
            "role": .string("assistant"), "content": .string("<think>a</think> b "),
            "tool_calls": .array([
                .object(["function": .object(["name": .string("f"), "arguments": .object(["k": .integer(1)])])])
            ]),
        ]),
        .object(["role": .string("tool"), "content": .string("e\u{301} \u{1F469}\u{200d}\u{1F4BB} \u{df}\u{3a3}")]),
    ]),
    "tools": .array([
        .object([
            "type": .string("function"),
            "function": .object([
                "name": .string("f"), "description": .string("d"),
                "parameters": .object([
                    "type": .string("object"), "required": .array([.string("k")]),
                    "properties": .object(["k": .object(["type": .string("integer"), "enum": .array([.integer(1)])])]),
                ]),
            ]),
        ])
    ]),
]

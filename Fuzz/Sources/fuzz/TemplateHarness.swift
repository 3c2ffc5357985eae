import ChatTemplates
import ModelFiles

/// A chat template, rendered for a conversation with tools and for the variables of the micro templates, within limits
/// that keep every input short.
@Sendable func fuzzTemplate(_ bytes: UnsafeRawBufferPointer) {
    guard let source = String(validating: bytes, as: UTF8.self),
        let template = try? ChatTemplate(parsing: source, name: "fuzz.jinja")
    else { return }
    let limits = TemplateLimits(steps: 20_000, outputBytes: 1 << 18, work: 1 << 20)
    _ = try? template.render(variables, limits: limits, now: { CalendarTime(year: 2026, month: 7, day: 4) })
}

/// The variables of the templates in the corpus.
private let variables: JSONObject = {
    let text = """
        {
        "bos_token": "<s>", "add_generation_prompt": true, "documents": null,
        "messages": [
            {"role": "system", "content": "Be \\"brief\\" & <kind>.\\n"},
            {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
            {"role": "assistant", "content": "<think>a</think> b ", "tool_calls": [
                {"function": {"name": "f", "arguments": {"k": [1, 2]}}}]},
            {"role": "tool", "content": "e\u{301} \u{1F469}\u{200d}\u{1F4BB} \u{df}\u{3a3}"}
        ],
        "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {
            "type": "object", "required": ["k"], "properties": {"k": {"type": "integer", "enum": [1]}}}}}],
        "n": 7, "neg": -3, "x": 2.5, "t": true, "f": false, "z": null, "num": "42", "fl": "42.5", "hex": "0x1F",
        "s": "  Ab,cD ", "u": "h\u{e9}llo w\u{f6}rld \u{df}", "q": "it's \\"q\\" \\u0007\\t", "cl": "e\u{301}x",
        "lines": "one\\ntwo\\n\\nthree\\r\\nfour", "html": "<a href='x'>&</a>", "tabs": "a\\tb", "es": "",
        "nums": [3, 1, 2], "words": ["b", "A", "c", "a"], "empty": [], "ed": {},
        "mix": [1, "a", null, true, 2.0, [1], {"a": 1}],
        "d": {"b": 2, "a": [1, null, true, 1.5, "<'&"], "items": "own", "nested": {"x": {"y": [10, 20]}}},
        "objs": [{"name": "bob", "age": 3, "in": {"v": 1}}, {"name": "Al", "age": 1, "in": {"v": 2}}]
        }
        """
    guard let json = try? JSON(parsing: text), case .object(let members) = json else {
        preconditionFailure("the variables are not a JSON object")
    }
    return members
}()

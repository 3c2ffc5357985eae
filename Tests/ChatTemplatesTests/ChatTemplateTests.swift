import ModelFiles
import Testing

@testable import ChatTemplates

@Suite("Chat templates")
struct ChatTemplateTests {
    @Test("renders messages with the special tokens of the model")
    func messages() throws {
        let source =
            "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
            + "{% if add_generation_prompt %}<assistant>{% endif %}{{ tools is none }}{{ extra }}"
        let template = try ChatTemplate(parsing: source, name: "t", specialTokens: ["bos_token": .string("<s>")])
        let messages = [ChatMessage(role: "system", content: "Be brief."), ChatMessage(role: "user", content: "Hi")]
        #expect(try template.render(messages: messages) == "<s><system>Be brief.<user>Hi<assistant>True")
        let open = try template.render(
            messages: [], addGenerationPrompt: false, variables: ["extra": .integer(1), "bos_token": .string("!")])
        #expect(open == "!True1")
    }

    @Test("prints ranges, also those that end where integers do")
    func ranges() throws {
        for (source, expected) in [
            ("{{ range(2, 8, 3) }}", "range(2, 8, 3)"), ("{{ range(3) }}", "range(0, 3)"),
            (
                "{{ range(9223372036854775807, 9223372036854775806, -1) }}",
                "range(9223372036854775807, 9223372036854775808)"
            ),
        ] {
            #expect(try ChatTemplate(parsing: source, name: "t").render(messages: []) == expected)
        }
    }

    @Test("says on which line and by which operation a rendering failed")
    func evaluationErrors() throws {
        let source = "{% macro f(x) %}\n{{ x.y.z }}\n{% endmacro %}\n\n{{ 1 }}\n{{ f({}) }}"
        let error = try #require(failure(of: source))
        #expect(error.description == "t.jinja:2: 'dict object' has no attribute 'y'")
        #expect(
            failure(of: "{% set x = 1 %}\n{{ x }}\n{{ missing() }}")?.description == "t.jinja:3: 'missing' is undefined"
        )
    }

    @Test("passes on what a template raises")
    func raisedErrors() throws {
        let error = try #require(failure(of: "\n{{ raise_exception('Roles must\\nalternate') }}"))
        #expect(error.code == .raised)
        #expect(error.message == "Roles must\nalternate")
        #expect(error.description == "t.jinja:2: Roles must alternate")
    }

    @Test("reads the clock that it is given, once per call")
    func clock() throws {
        let template = try ChatTemplate(parsing: "{{ strftime_now('%d %b %Y, %A, day %j') }}", name: "t")
        let time = CalendarTime(year: 2024, month: 2, day: 29)
        #expect(try template.render([:], now: { time }) == "29 Feb 2024, Thursday, day 060")
        #expect(try !template.render([:]).isEmpty)
        for format in [String(repeating: "%c", count: 200), "a\\0b", "%9999d"] {
            #expect(failure(of: "{{ strftime_now('\(format)') }}")?.code == .evaluation)
        }
    }

    @Test("counts, compares and cuts strings by Unicode scalars, not by characters")
    func scalars() throws {
        let variables: JSONObject = [
            "a": .string("e\u{301}"), "b": .string("\u{e9}"), "c": .string("\u{1F1E6}\u{1F1F9}"),
        ]
        let source =
            "{{ a|length }}{{ b|length }}{{ c|length }} {{ a == b }} {{ {a: 1, b: 2}|length }} {{ a[0] }}{{ b in a }}"
        #expect(try ChatTemplate(parsing: source, name: "t").render(variables) == "212 False 2 eFalse")
    }
}

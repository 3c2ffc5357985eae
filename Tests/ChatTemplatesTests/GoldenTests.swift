import ModelFiles
import TestSupport
import Testing

@testable import ChatTemplates

@Suite("Golden templates")
struct GoldenTests {
    @Test("renders each golden conversation as transformers does")
    func conversations() throws {
        let golden = try JSON(contentsOf: Golden.path("tokenizer/chat_template_cases.json"))
        let cases = try #require(golden["cases"]).elements
        #expect(cases.count == 100)
        var templates: [String: ChatTemplate] = [:]
        for testCase in cases {
            let tokenizer = try #require(testCase["tokenizer"]?.string)
            let loaded = try templates[tokenizer] ?? ChatTemplate.load(folder: Golden.path("tokenizer/" + tokenizer))
            let template = try #require(loaded)
            templates[tokenizer] = template
            var variables: JSONObject = ["documents": .null]
            variables["messages"] = testCase["messages"]
            variables["tools"] = testCase["tools"] == .bool(true) ? golden["tools"] : .null
            variables["add_generation_prompt"] = testCase["add_generation_prompt"]
            for (name, value) in testCase["kwargs"]?.members ?? [:] { variables[name] = value }
            let expected = try #require(testCase["rendered"]?.string)
            let rendered = try template.render(variables)
            #expect(Array(rendered.utf8) == Array(expected.utf8), "\(tokenizer) \(testCase["conversation"] ?? .null)")
        }
    }

    @Test("renders each golden micro template as Jinja does")
    func microTemplates() throws {
        try expectReference(path: Golden.path("tokenizer/jinja_cases.json"), count: 35)
    }
}

/// Expects the outputs, and the messages of the errors, of a file of micro templates.
func expectReference(path: String, count: Int) throws {
    let file = try JSON(contentsOf: path)
    let context = try #require(file["context"]).members
    let cases = try #require(file["cases"]).elements.map { try RenderCase($0) }
    #expect(cases.count == count)
    for testCase in cases {
        let now = { CalendarTime(year: 2026, month: 7, day: 4, hour: 15, minute: 6, second: 9) }
        let result = Result { () throws(TemplateError) in
            try ChatTemplate(parsing: testCase.template, name: "micro").render(context, now: now)
        }
        switch (result, testCase.expected) {
        case (.success(let output), .output(let expected)):
            #expect(Array(output.utf8) == Array(expected.utf8), "\(testCase.template)\n\(output)\n\(expected)")
        case (.failure(let error), .error(let message)):
            #expect(error.message == message, "\(testCase.template)")
        default:
            Issue.record("\(testCase.template): \(result), expected \(testCase.expected)")
        }
    }
}

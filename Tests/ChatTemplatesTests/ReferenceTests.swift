import ModelFiles
import TestSupport
import Testing

@testable import ChatTemplates

@Suite("Equality with Jinja")
struct ReferenceTests {
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
    func goldenMicroTemplates() throws {
        try expectReference(path: Golden.path("tokenizer/jinja_cases.json"), count: 35)
    }

    /// The outputs and errors in the file are those of jinja2 3.1.6 in transformers' environment; its `reference` member
    /// says which settings that means.
    @Test("renders micro templates for every part of the language as Jinja does")
    func microTemplates() throws {
        let folder = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        try expectReference(path: folder.joined(separator: "/") + "/Fixtures/jinja2_cases.json", count: 363)
    }
}

import ModelFiles
import TestSupport
import Testing

@testable import ChatTemplates

extension JSON {
    /// The JSON in a file.
    init(contentsOf path: String) throws {
        self = try MappedFile(path: path).withBytes { (bytes) throws(JSONError) in try JSON(parsing: bytes) }
    }

    var string: String? { if case .string(let value) = self { value } else { nil } }

    var elements: [JSON] { if case .array(let value) = self { value } else { [] } }

    var members: JSONObject { if case .object(let value) = self { value } else { [:] } }
}

/// The error of parsing and rendering a template that must fail.
func failure(
    of template: String, _ variables: JSONObject = [:], limits: TemplateLimits = TemplateLimits()
) -> TemplateError? {
    do throws(TemplateError) {
        let output = try ChatTemplate(parsing: template, name: "t.jinja").render(variables, limits: limits)
        Issue.record("\(template.prefix(80)) printed \(output.prefix(80).debugDescription)")
        return nil
    } catch {
        return error
    }
}

/// Expects the outputs, and the messages of the errors, that a reference gave for a file of micro templates.
func expectReference(path: String, count: Int) throws {
    let file = try JSON(contentsOf: path)
    let variables = try #require(file["context"]).members
    let cases = try #require(file["cases"]).elements
    #expect(cases.count == count)
    for testCase in cases {
        let source = try #require(testCase["template"]?.string)
        let now = { CalendarTime(year: 2026, month: 7, day: 4, hour: 15, minute: 6, second: 9) }
        do throws(TemplateError) {
            let output = try ChatTemplate(parsing: source, name: "t.jinja").render(variables, now: now)
            let expected = testCase["output"]?.string.map { Array($0.utf8) }
            #expect(Array(output.utf8) == expected, "\(source) printed \(output.debugDescription)")
        } catch {
            // The reference writes the class of the exception first.
            let expected = testCase["error"]?.string?.split(separator: ": ", maxSplits: 1).last
            #expect(error.message == expected.map(String.init), "\(source)")
        }
    }
}

import ModelFiles
import Testing

@testable import ChatTemplates

@Suite("Malformed templates")
struct MalformedTemplateTests {
    @Test(
        "says where a template is malformed and what was expected",
        arguments: [
            ("{{ x", 1, "the tag '{{' is never closed by '}}'"),
            ("\n{{ x %}", 2, "unexpected '}'"),
            ("a\n\n{% if x", 3, "the tag '{%' is never closed by '%}'"),
            ("{% if x %}\na", 1, "the block 'if' is never closed"),
            ("{% for x in y %}", 1, "the block 'for' is never closed"),
            ("{% macro f() %}", 1, "the block 'macro' is never closed"),
            ("{% set x %}a", 1, "the block 'set' is never closed"),
            ("{% if x %}{% for y in z %}{% endif %}", 1, "unknown tag 'endif'"),
            ("{% endif %}", 1, "unknown tag 'endif'"),
            ("{% else %}", 1, "unknown tag 'else'"),
            ("{% if %}x{% endif %}", 1, "unexpected '%}', expected an expression"),
            ("{% if x %}{% elif %}{% endif %}", 1, "unexpected '%}', expected an expression"),
            ("{% if x %}{% else %}{% else %}{% endif %}", 1, "unknown tag 'else'"),
            ("{# comment", 1, "the comment '{#' is never closed by '#}'"),
            ("{% raw %}{{ x }}", 1, "the block '{% raw %}' is never closed by '{% endraw %}'"),
            ("{{ 'abc }}", 1, "the string is never closed"),
            ("{{ '\\x4' }}", 1, "the escape '\\x' needs 2 hexadecimal digits"),
            ("{{ '\\u12' }}", 1, "the escape '\\u' needs 4 hexadecimal digits"),
            ("{{ '\\ud800' }}", 1, "the escape for d800 is not a Unicode scalar"),
            ("{{ '\\U00110000' }}", 1, "the escape for 110000 is not a Unicode scalar"),
            ("{{ '\\N{BULLET}' }}", 1, "the escape '\\N' is not supported"),
            ("{{ 9223372036854775808 }}", 1, "the number '9223372036854775808' does not fit 64 bits"),
            ("{{ 012 }}", 1, "the number '012' starts with 0"),
            ("{{ 1 + }}", 1, "unexpected '}}', expected an expression"),
            ("{{ }}", 1, "unexpected '}}', expected an expression"),
            ("{{ * 2 }}", 1, "unexpected '*', expected an expression"),
            ("{{ a b }}", 1, "unexpected 'b', expected '}}'"),
            ("{{ a. }}", 1, "unexpected '}}', expected a name or an index after '.'"),
            ("{{ a['b' }}", 1, "unexpected '}', expected ']'"),
            ("{{ (1, 2 }}", 1, "unexpected '}', expected ')'"),
            ("{{ 1) }}", 1, "unexpected ')'"),
            ("{{ {'a' 1} }}", 1, "unexpected the number 1, expected ':'"),
            ("{{ a ? b }}", 1, "unexpected character '?'"),
            ("{{ a & b }}", 1, "unexpected character '&'"),
            ("{{ f(a=1, 2) }}", 1, "a positional argument follows a named one"),
            ("{{ f(a=1, a=2) }}", 1, "the argument 'a' is given twice"),
            ("{{ f(**a, b=1) }}", 1, "no argument can follow '**'"),
            ("{{ x|nope }}", 1, "no filter named 'nope'"),
            ("{{ x|'a' }}", 1, "unexpected the string 'a', expected the name of a filter"),
            ("{{ x is nope }}", 1, "no test named 'nope'"),
            ("{{ x is }}", 1, "unexpected '}}', expected the name of a test"),
            ("{{ x is defined is none }}", 1, "tests cannot be chained with 'is'"),
            ("{% for in x %}{% endfor %}", 1, "'in' cannot be assigned to"),
            ("{% for x y %}{% endfor %}", 1, "unexpected 'y', expected 'in'"),
            ("{% for x.y in z %}{% endfor %}", 1, "unexpected '.', expected 'in'"),
            ("{% set 1 = 2 %}", 1, "unexpected the number 1, expected the name of a variable"),
            ("{% set true = 2 %}", 1, "'true' cannot be assigned to"),
            ("{% set x = %}", 1, "unexpected '%}', expected an expression"),
            ("{% macro %}{% endmacro %}", 1, "unexpected '%}', expected the name of the macro"),
            ("{% macro f %}{% endmacro %}", 1, "unexpected '%}', expected '('"),
            ("{% macro f(a=1, b) %}{% endmacro %}", 1, "a parameter without default follows one with default"),
            ("{% macro f(a, a) %}{% endmacro %}", 1, "the parameter 'a' is named twice"),
            ("{% call x %}{% endcall %}", 1, "the tag 'call' expects a call"),
            ("{% break %}", 1, "'break' outside of a loop"),
            (
                "{% for x in y %}{% macro f() %}{% continue %}{% endmacro %}{% endfor %}", 1,
                "'continue' outside of a loop"
            ),
            ("{% include 'a' %}", 1, "the tag 'include' is not supported in chat templates"),
            ("{% do f() %}", 1, "unknown tag 'do'"),
            ("{% 1 %}", 1, "unexpected the number 1, expected the name of a tag"),
            ("{%%}", 1, "unexpected '%}', expected the name of a tag"),
        ])
    func syntaxErrors(template: String, line: Int, message: String) throws {
        let error = try #require(failure(of: template))
        #expect(error == TemplateError(code: .syntax, template: "t.jinja", line: line, message: message))
        #expect(error.description == "t.jinja:\(line): \(message)")
    }

    @Test("accepts an unknown filter or test in a branch that never runs, as Jinja does")
    func unknownFilterInBranch() throws {
        let source = "{% if false %}{{ x|nope }}{% endif %}{{ 1 if true else x is nope }}"
        #expect(try ChatTemplate(parsing: source, name: "t").render([:]) == "1")
        #expect(failure(of: "{% if true %}{{ x|nope }}{% endif %}")?.message == "no filter named 'nope'")
        #expect(failure(of: "{% if true %}{{ x is nope }}{% endif %}")?.message == "no test named 'nope'")
    }

    @Test("refuses names, parameters and arguments beyond its limits")
    func sizes() {
        let name = String(repeating: "a", count: 256)
        #expect(failure(of: "{{ \(name) }}")?.message == "a name is longer than 255 characters")
        let names = (0..<256).map { "a\($0)" }
        let parameters = "{% macro f(\(names.joined(separator: ","))) %}{% endmacro %}"
        #expect(failure(of: parameters)?.message == "a macro has more than 255 parameters")
        let arguments = "{{ f(\(names.map { $0 + "=1" }.joined(separator: ","))) }}"
        #expect(failure(of: arguments)?.message == "a call has more than 255 named arguments")
        let long = String(repeating: "a", count: TemplateLimits.sourceBytes + 1)
        #expect(failure(of: long)?.code == .limit)
    }
}

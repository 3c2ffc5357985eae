import ModelFiles
import Testing

@testable import ChatTemplates

@Suite("Template limits")
struct TemplateLimitTests {
    @Test(
        "stops programs that run too long",
        arguments: [
            "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
            "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(40) }}",
            "{% for i in range(100000) %}{{ \(String(repeating: "1 and ", count: 1000)) 1 }}{% endfor %}",
        ])
    func steps(template: String) {
        let limits = TemplateLimits(steps: 20_000)
        #expect(failure(of: template, limits: limits)?.message == "the template runs longer than 20000 steps")
    }

    @Test(
        "stops programs that make or read too much",
        arguments: [
            "{{ 'x' * 1000000000 }}",
            "{{ 'x' * 9223372036854775807 }}",
            "{{ [1] * 1000000000 }}",
            "{{ 'x'.center(1000000000) }}",
            "{{ 'x'.zfill(9223372036854775807) }}",
            "{{ 'x\t'.expandtabs(1000000000) }}",
            "{{ 'x'|indent(1000000000) }}",
            "{{ [1]|tojson(indent=1000000000) }}",
            "{{ '%1000000000d' % 5 }}",
            "{{ '%.1000000000f' % 5 }}",
            "{{ [1]|batch(1000000000, 0)|list }}",
            "{{ [1]|slice(1000000000)|list }}",
            "{% set n = namespace(s='x') %}{% for i in range(99) %}{% set n.s = n.s + n.s %}{% endfor %}",
            "{% set n = namespace(s='x') %}{% for i in range(99) %}{% set n.s = n.s ~ n.s %}{% endfor %}",
            "{% set n = namespace(s='x') %}{% for i in range(99) %}{% set n.s = n.s|replace('x', 'xx') %}{% endfor %}",
            "{% set n = namespace(l=[1]) %}{% for i in range(99) %}{% set n.l = n.l + n.l %}{% endfor %}",
            "{% set n = namespace(l=[1]) %}{% for i in range(99) %}{% set n.l = [n.l, n.l] %}{% endfor %}{{ n.l }}",
            "{% set n = namespace(l=[1]) %}{% for i in range(99) %}{% set n.l = [n.l, n.l] %}{% endfor %}{{ n.l|tojson }}",
            "{% set n = namespace(l=[1], m=[1]) %}{% for i in range(99) %}{% set n.l = [n.l, n.l] %}"
                + "{% set n.m = [n.m, n.m] %}{% endfor %}{{ n.l == n.m }}",
            "{% set s = 'a' * 300000 %}{% for i in range(1000) %}{% set x = s.upper() %}{% endfor %}",
            "{% set s = 'a' * 300000 %}{% for i in range(1000) %}{% set x = {}[s] is defined %}{% endfor %}",
            "{% set s = 'a' * 300000 %}{% for i in range(1000) %}{% set x = s[s] is defined %}{% endfor %}",
            "{% set s = 'a' * 300000 %}{% for i in range(1000) %}{% set x = s == s[1:] %}{% endfor %}",
            "{% set l = range(90000)|list %}{% for i in range(1000) %}{% set x = l|sort %}{% endfor %}",
            "{% set l = range(90000)|list %}{% for i in range(1000) %}{% set x = 5.5 in l %}{% endfor %}",
            "{% set l = range(90000)|list %}{% for i in range(1000) %}{% set x = loop.cycle(*l) %}{% endfor %}",
        ])
    func work(template: String) {
        let limits = TemplateLimits(work: 2_000_000)
        let message = "the template works on more than 2000000 characters and elements"
        #expect(failure(of: template, limits: limits)?.message == message)
    }

    @Test("stops at the length of the output, counted in bytes")
    func output() throws {
        let limits = TemplateLimits(outputBytes: 6)
        let template = try ChatTemplate(parsing: "{% for i in range(n) %}€{% endfor %}", name: "t")
        #expect(try template.render(["n": .integer(2)], limits: limits) == "€€")
        #expect(throws: TemplateError.self) { try template.render(["n": .integer(3)], limits: limits) }
        #expect(failure(of: "{{ 'a' * 4194305 }}")?.message == "the rendered text is longer than 4194304 bytes")
    }

    @Test("refuses ranges that Jinja's sandbox refuses")
    func ranges() {
        for arguments in ["100001", "0, 9223372036854775807", "-9223372036854775807, 9223372036854775807"] {
            #expect(failure(of: "{{ range(\(arguments)) }}")?.code == .limit)
        }
    }

    @Test(
        "refuses integers beyond 64 bits",
        arguments: [
            "10 ** 100", "9223372036854775807 + 1", "-9223372036854775807 - 2", "9223372036854775807 * 2",
            "(-9223372036854775807 - 1) // -1", "(-9223372036854775807 - 1)|abs", "-(-9223372036854775807 - 1)",
            "'9999999999999999999'|int", "1e19|int",
        ])
    func integers(expression: String) {
        #expect(failure(of: "{{ \(expression) }}")?.message == "an integer does not fit 64 bits")
    }

    @Test(
        "refuses templates that are nested too deep",
        arguments: [
            ("{{ ", "(", "1", ")", " }}"), ("{{ ", "[", "1", "]", " }}"), ("{{ ", "{'a': ", "1", "}", " }}"),
            ("{{ ", "a[", "1", "]", " }}"), ("{{ ", "f(", "1", ")", " }}"), ("{{ ", "1|default(", "1", ")", " }}"),
            ("{{ ", "not ", "1", "", " }}"), ("{{ ", "-", "1", "", " }}"), ("{{ ", "0 if 0 else ", "1", "", " }}"),
            ("{% set ", "(", "a", ",)", " = 1 %}"), ("", "{% if 1 %}", "", "{% endif %}", ""),
            ("", "{% for i in [1] %}", "", "{% endfor %}", ""), ("", "{% set x %}", "", "{% endset %}", ""),
            ("", "{% macro f() %}", "", "{% endmacro %}", ""), ("", "{% filter upper %}", "", "{% endfilter %}", ""),
        ])
    func syntaxDepth(start: String, open: String, middle: String, close: String, end: String) throws {
        func nested(_ count: Int) -> String {
            start + String(repeating: open, count: count) + middle + String(repeating: close, count: count) + end
        }
        _ = try ChatTemplate(parsing: nested(30), name: "t")
        for count in [TemplateLimits.syntaxDepth, 5_000] {
            let message = "blocks and expressions are nested deeper than \(TemplateLimits.syntaxDepth)"
            #expect(failure(of: nested(count))?.message == message)
        }
    }

    @Test("runs long chains of operators, suffixes and branches, which are not nested")
    func chains() throws {
        let sum = Array(repeating: "1", count: 5_000).joined(separator: " + ")
        let filters = String(repeating: "|string", count: 5_000)
        let branches = String(repeating: "{% elif false %}", count: 5_000)
        let source = "{{ \(sum) }} {{ 1\(filters) }} {% if false %}\(branches){% else %}x{% endif %}"
        #expect(try ChatTemplate(parsing: source, name: "t").render([:]) == "5000 1 x")
    }

    @Test(
        "stops endless recursion",
        arguments: [
            "{% macro f(x) %}{{ f(x + 1) }}{% endmacro %}{{ f(0) }}",
            "{% macro f(x) %}{% set y %}{{ f(x) }}{% endset %}{% endmacro %}{{ f(0) }}",
            "{% macro f(x) %}{% call f(x) %}{{ caller() }}{% endcall %}{% endmacro %}{{ f(0) }}",
            "{% macro f(x=f()) %}{% endmacro %}{{ f() }}",
            "{% macro f() %}{{ caller() }}{% endmacro %}{% macro g() %}{% call f() %}{{ g() }}{% endcall %}"
                + "{% endmacro %}{{ g() }}",
            "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        ])
    func recursion(template: String) {
        let limits = TemplateLimits(depth: 64)
        let error = failure(of: template, limits: limits)
        #expect(error?.message == "blocks, expressions and macro calls are nested deeper than 64")
    }

    @Test("refuses values that are nested too deep, and lets go of long chains of objects")
    func valueDepth() throws {
        for value in ["[n.v]", "(n.v,)", "{'a': n.v}", "{'a': n.v}.get", "[n.v]|map('default')"] {
            let source = "{% set n = namespace(v=[]) %}{% for i in range(10000) %}{% set n.v = \(value) %}{% endfor %}"
            #expect(failure(of: source)?.message == "lists and dictionaries are nested deeper than 128", "\(value)")
        }
        let chain =
            "{% set n = namespace(n=none) %}{% for i in range(30000) %}{% set n.n = namespace(n=n.n) %}{% endfor %}"
        #expect(try ChatTemplate(parsing: chain, name: "t").render([:]) == "")
        var json = JSON.array([])
        for _ in 0..<200 { json = .array([json]) }
        #expect(failure(of: "", ["x": json])?.message == "the context is nested deeper than 128")
    }

    @Test("frees namespaces, macros and loops that hold themselves")
    func cycles() throws {
        let source = """
            {% set n = namespace() %}{% set n.self = n %}{% macro f() %}{% endmacro %}{% set n.f = f %}\
            {% for i in [1] recursive %}{% set n.loop = loop %}{% set n.f = f %}{% endfor %}{% set l = n.loop %}
            """
        weak var leaked: Namespace?
        do {
            let evaluator = Evaluator(limits: TemplateLimits(), now: CalendarTime.current)
            _ = try evaluator.render(try Parser.parse(source, template: "t"))
            guard case .namespace(let namespace)? = evaluator.scope["n"] else {
                Issue.record("the template made no namespace")
                return
            }
            leaked = namespace
        }
        #expect(leaked == nil)
    }
}

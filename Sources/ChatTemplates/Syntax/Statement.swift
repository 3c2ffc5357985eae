/// A piece of a template.
indirect enum Statement: Sendable {
    case text([Unicode.Scalar])
    case output(Expression)
    case set(Target, Expression, line: Int)
    case setBlock(Target, filters: [Suffix], body: [Statement], line: Int)
    case conditional([Branch], otherwise: [Statement])
    case loop(ForLoop)
    case macro(MacroDefinition)
    /// `{% call(…) macro(…) %}body{% endcall %}`: `call` is the call, `body` becomes its `caller`.
    case call(Expression, Suffix, body: MacroDefinition)
    case filter([Suffix], body: [Statement])
    case with([(target: Target, value: Expression, line: Int)], body: [Statement])
    /// A block with its own scope that prints as it stands: `{% generation %}`.
    case generation([Statement])
    case leaveLoop
    case nextIteration
}

/// What a value is assigned to.
indirect enum Target: Sendable {
    case name(String)
    case attribute(namespace: String, name: PythonString)
    case tuple([Target])
}

/// A condition and what runs if it holds.
struct Branch: Sendable {
    let condition: Expression
    let body: [Statement]
}

/// A for statement.
final class ForLoop: Sendable {
    let target: Target
    let iterable: Expression
    let filter: Expression?
    let isRecursive: Bool
    let body: [Statement]
    let otherwise: [Statement]
    let line: Int

    init(
        target: Target, iterable: Expression, filter: Expression?, isRecursive: Bool, body: [Statement],
        otherwise: [Statement], line: Int
    ) {
        self.target = target
        self.iterable = iterable
        self.filter = filter
        self.isRecursive = isRecursive
        self.body = body
        self.otherwise = otherwise
        self.line = line
    }
}

/// A macro, or the body of a call block.
final class MacroDefinition: Sendable {
    let name: String
    let parameters: [Parameter]
    let body: [Statement]
    /// Which of the names `caller`, `kwargs` and `varargs` the body reads; Jinja passes them only then.
    let specialNames: Set<String>

    static let allSpecialNames: Set<String> = ["caller", "kwargs", "varargs"]

    /// A parameter and the value it takes if none is passed.
    struct Parameter: Sendable {
        let name: String
        let fallback: Expression?
    }

    init(name: String, parameters: [Parameter], body: [Statement], specialNames: Set<String>) {
        self.name = name
        self.parameters = parameters
        self.body = body
        self.specialNames = specialNames
    }
}

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

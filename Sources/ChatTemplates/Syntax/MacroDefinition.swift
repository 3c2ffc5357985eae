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

/// The variables of a block; a name is looked up from the innermost scope outwards.
final class Scope {
    var variables: [String: Value]
    let parent: Scope?

    init(_ variables: [String: Value] = [:], parent: Scope?) {
        self.variables = variables
        self.parent = parent
    }

    subscript(name: String) -> Value? {
        var scope: Scope? = self
        while let current = scope {
            if let value = current.variables[name] { return value }
            scope = current.parent
        }
        return nil
    }
}

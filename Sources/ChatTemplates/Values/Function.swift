/// What can be called.
enum Function {
    case global(Global)
    indirect case method(receiver: Value, name: String)
    case macro(Macro)

    var typeName: String {
        switch self {
        case .global: "function"
        case .method: "builtin_function_or_method"
        case .macro: "Macro"
        }
    }
}

/// A macro, or the body of a call block, with the scope that it was defined in.
final class Macro {
    let definition: MacroDefinition
    let scope: Scope

    init(_ definition: MacroDefinition, scope: Scope) {
        self.definition = definition
        self.scope = scope
    }
}

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

/// The `loop` variable of one run of a for statement.
final class LoopState {
    let items: [Value]
    /// The statement and the scope around it, where the loop is recursive.
    let recursion: (statement: ForLoop, scope: Scope)?
    let depth: Int
    var index = 0
    /// What `loop.changed` was called with last.
    var lastChanged: [Value]?

    init(items: [Value], recursion: (statement: ForLoop, scope: Scope)?, depth: Int) {
        self.items = items
        self.recursion = recursion
        self.depth = depth
    }
}

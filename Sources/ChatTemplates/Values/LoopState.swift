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

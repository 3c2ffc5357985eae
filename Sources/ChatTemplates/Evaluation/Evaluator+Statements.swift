internal import ModelFiles
internal import OrderedCollections

extension Evaluator {
    /// Where the run goes on after a statement.
    enum Flow {
        case next, leaveLoop, nextIteration
    }

    /// Runs statements until one leaves the loop or its iteration.
    func run(_ statements: [Statement]) throws(Failure) -> Flow {
        try fuel.enter()
        defer { fuel.leave() }
        for statement in statements {
            try fuel.step()
            let flow = try run(statement)
            if flow != .next { return flow }
        }
        return .next
    }

    private func run(_ statement: Statement) throws(Failure) -> Flow {
        switch statement {
        case .text(let scalars): try print(scalars)
        case .output(let expression): try printValue(of: expression)
        case .set(let target, let value, let line): try set(target, value, line: line)
        case .setBlock(let target, let filters, let body, let line):
            try setBlock(target, filters: filters, body: body, line: line)
        case .conditional(let branches, let otherwise): return try runBranch(of: branches, otherwise: otherwise)
        case .loop(let loop): try runLoop(loop)
        case .macro(let definition):
            try fuel.step(2)
            scope.variables[definition.name] = .function(.macro(Macro(definition, scope: captureScope())))
        case .call(let callee, let call, let body): try runCallBlock(callee, call, body: body)
        case .filter(let filters, let body): try runFilterBlock(filters, body: body)
        case .with(let assignments, let body): return try runWith(assignments, body: body)
        case .generation(let body): try runFilterBlock([], body: body)
        case .leaveLoop: return .leaveLoop
        case .nextIteration: return .nextIteration
        }
        return .next
    }

    private func printValue(of expression: Expression) throws(Failure) {
        try print(try text(try evaluate(expression)).scalars)
    }

    private func runBranch(of branches: [Branch], otherwise: [Statement]) throws(Failure) -> Flow {
        for branch in branches where try evaluate(branch.condition).isTrue { return try run(branch.body) }
        return otherwise.isEmpty ? .next : try run(otherwise)
    }

    private func runWith(
        _ assignments: [(target: Target, value: Expression, line: Int)], body: [Statement]
    ) throws(Failure) -> Flow {
        var values: [Value] = []
        for assignment in assignments { values.append(try evaluate(assignment.value)) }
        return try scoped { () throws(Failure) in
            for (assignment, value) in zip(assignments, values) {
                line = assignment.line
                try assign(value, to: assignment.target)
            }
            return try run(body)
        }
    }

    // MARK: Blocks that capture what they print

    private func captureBlock(_ body: [Statement], filters: [Suffix]) throws(Failure) -> Value {
        let text = try capture { () throws(Failure) in
            try scoped { () throws(Failure) in _ = try run(body) }
        }
        return try apply(filters, to: text)
    }

    private func runFilterBlock(_ filters: [Suffix], body: [Statement]) throws(Failure) {
        try print(try text(try captureBlock(body, filters: filters)).scalars)
    }

    private func setBlock(
        _ target: Target, filters: [Suffix], body: [Statement], line: Int
    ) throws(Failure) {
        let value = try captureBlock(body, filters: filters)
        self.line = line
        try assign(value, to: target)
    }

    private func runCallBlock(_ callee: Expression, _ call: Suffix, body: MacroDefinition) throws(Failure) {
        let function = try evaluate(callee)
        guard case .call(let list) = call.kind else { return }
        try fuel.step(2)
        var arguments = try evaluate(list)
        arguments.keywords.append(("caller", .function(.macro(Macro(body, scope: captureScope())))))
        line = call.line
        try print(try text(try self.call(function, arguments)).scalars)
    }

    // MARK: Assignments

    private func set(_ target: Target, _ expression: Expression, line: Int) throws(Failure) {
        let value = try evaluate(expression)
        self.line = line
        try assign(value, to: target)
    }

    private func assign(_ value: Value, to target: Target) throws(Failure) {
        switch target {
        case .name(let name): scope.variables[name] = value
        case .attribute(let owner, let name):
            guard case .namespace(let namespace)? = scope[owner] else {
                throw Failure("cannot assign attribute on non-namespace object")
            }
            namespace.attributes[name] = value
        case .tuple(let targets):
            let values = try elements(of: value)
            guard values.count >= targets.count else {
                throw Failure("not enough values to unpack (expected \(targets.count), got \(values.count))")
            }
            guard values.count == targets.count else {
                throw Failure("too many values to unpack (expected \(targets.count))")
            }
            for (target, value) in zip(targets, values) { try assign(value, to: target) }
        }
    }

    // MARK: Loops

    private func runLoop(_ loop: ForLoop) throws(Failure) {
        let iterable = try evaluate(loop.iterable)
        line = loop.line
        try runLoop(loop, over: iterable, depth: 0)
    }

    /// Runs a loop over values, in a scope inside the current one.
    func runLoop(_ loop: ForLoop, over iterable: Value, depth: Int) throws(Failure) {
        let items = try filter(try elements(of: iterable), of: loop)
        let state = LoopState(
            items: items, recursion: loop.isRecursive ? (loop, captureScope()) : nil, depth: depth)
        let outer = scope
        defer { scope = outer }
        var iterationScope = Scope(parent: outer)
        var hasFinishedAnIteration = false
        for (index, item) in items.enumerated() {
            try fuel.step()
            state.index = index
            scope = outer
            startIteration(in: &iterationScope)
            scope = iterationScope
            scope.variables["loop"] = .loop(state)
            line = loop.line
            try assign(item, to: loop.target)
            let flow = try run(loop.body)
            if flow == .leaveLoop { break }
            if flow == .next { hasFinishedAnIteration = true }
        }
        // Jinja takes a loop of which no iteration came to its end for an empty one.
        if !hasFinishedAnIteration, !loop.otherwise.isEmpty {
            scope = outer
            try scoped { () throws(Failure) in _ = try run(loop.otherwise) }
        }
    }

    /// Empties the scope of an iteration for the next, or makes another if a macro has captured it.
    private func startIteration(in scope: inout Scope) {
        if isKnownUniquelyReferenced(&scope) {
            scope.variables.removeAll(keepingCapacity: true)
        } else {
            scope = Scope(parent: scope.parent)
        }
    }

    private func filter(_ items: [Value], of loop: ForLoop) throws(Failure) -> [Value] {
        guard let condition = loop.filter else { return items }
        var kept: [Value] = []
        for item in items {
            try fuel.step()
            let isKept = try scoped { () throws(Failure) in
                line = loop.line
                try assign(item, to: loop.target)
                return try evaluate(condition).isTrue
            }
            if isKept { kept.append(item) }
        }
        return kept
    }
}

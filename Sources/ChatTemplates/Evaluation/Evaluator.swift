internal import ModelFiles
internal import OrderedCollections

/// Runs a template once.
final class Evaluator {
    let fuel: Fuel
    /// The clock of `strftime_now`.
    let now: () -> CalendarTime
    /// The innermost scope.
    var scope: Scope
    /// What the template, or the macro or block being captured, has printed.
    var output: [Unicode.Scalar] = []
    /// The line of the operation that runs, for errors.
    var line = 1

    private let outputLimit: Int
    /// Objects that can be part of a reference cycle.
    private var namespaces: [Namespace] = []
    private var capturedScopes: [Scope] = []

    init(limits: TemplateLimits, now: @escaping () -> CalendarTime) {
        fuel = Fuel(limits)
        outputLimit = limits.outputBytes
        self.now = now
        scope = Scope(Global.variables, parent: nil)
    }

    deinit {
        // A namespace can hold itself, and a scope a macro that holds the scope: emptying both breaks every cycle.
        for namespace in namespaces { namespace.attributes = [:] }
        for scope in capturedScopes { scope.variables = [:] }
    }

    /// Defines variables from outside.
    func define(_ variables: JSONObject) throws(Failure) {
        for (name, value) in variables { scope.variables[name] = try Value(value, fuel) }
    }

    /// Runs a whole template and returns what it prints.
    func render(_ statements: [Statement]) throws(Failure) -> String {
        _ = try run(statements)
        let text = PythonString(output).text
        guard text.utf8.count <= outputLimit else { throw outputIsTooLong }
        return text
    }

    func makeNamespace(_ attributes: OrderedDictionary<PythonString, Value>) -> Namespace {
        let namespace = Namespace(attributes)
        namespaces.append(namespace)
        return namespace
    }

    /// The current scope, for an object that outlives the block.
    func captureScope() -> Scope {
        capturedScopes.append(scope)
        return scope
    }

    // MARK: Output

    func print(_ scalars: [Unicode.Scalar]) throws(Failure) {
        try fuel.charge(scalars.count)
        guard output.count + scalars.count <= outputLimit else { throw outputIsTooLong }
        output += scalars
    }

    var outputIsTooLong: Failure { Failure(.limit, "the rendered text is longer than \(outputLimit) bytes") }

    /// What `run` prints.
    func capture(_ run: () throws(Failure) -> Void) throws(Failure) -> Value {
        let outer = output
        output = []
        try run()
        defer { output = outer }
        return .string(output)
    }

    /// Runs in a new scope.
    func scoped<Result>(
        _ variables: [String: Value] = [:], parent: Scope? = nil, _ run: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let outer = scope
        scope = Scope(variables, parent: parent ?? outer)
        defer { scope = outer }
        return try run()
    }

    /// The text of a value as `{{ }}` and `str()` print it.
    func text(_ value: Value) throws(Failure) -> PythonString {
        if case .string(let string) = value { return string }
        var formatter = PythonFormatter(fuel: fuel)
        try formatter.appendText(of: value)
        return PythonString(formatter.output)
    }
}

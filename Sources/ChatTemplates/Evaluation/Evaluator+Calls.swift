internal import ModelFiles
internal import OrderedCollections

extension Evaluator {
    func evaluate(_ list: ArgumentList) throws(Failure) -> Arguments {
        var arguments = Arguments(positional: try evaluate(list.positional))
        if let splat = list.splat {
            let more = try elements(of: try evaluate(splat))
            try fuel.charge(elements: more.count)
            arguments.positional += more
        }
        for (name, expression) in list.keywords { arguments.keywords.append((name, try evaluate(expression))) }
        if let splat = list.keywordSplat { try append(try evaluate(splat), to: &arguments) }
        return arguments
    }

    private func append(_ keywords: Value, to arguments: inout Arguments) throws(Failure) {
        guard case .dictionary(let dictionary) = keywords else {
            throw Failure("the argument after ** must be a mapping, not \(keywords.typeName)")
        }
        try fuel.charge(elements: dictionary.members.count)
        for (key, value) in dictionary.members {
            guard case .string(let name) = key else { throw Failure("keywords must be strings") }
            try fuel.charge(name.count)
            arguments.keywords.append((name.text, value))
        }
    }

    func call(_ callee: Value, _ arguments: Arguments) throws(Failure) -> Value {
        // A call does the work of several other steps.
        try fuel.step(2)
        switch callee {
        case .function(.global(let global)): return try global.call(arguments, self)
        case .function(.method(let receiver, let name)): return try call(name, of: receiver, arguments)
        case .function(.macro(let macro)): return try call(macro, arguments)
        case .loop(let loop): return try call(loop, arguments)
        case .undefined(let undefined): throw undefined.failure
        default: throw Failure("'\(callee.typeName)' object is not callable")
        }
    }

    private func call(_ name: String, of receiver: Value, _ arguments: Arguments) throws(Failure) -> Value {
        switch receiver {
        case .string(let string):
            guard let method = StringMethods.all[name] else { break }
            return try method(string, arguments, self)
        case .dictionary(let dictionary): return try DictionaryMethods.call(name, of: dictionary, arguments, self)
        case .sequence(let sequence): return try SequenceMethods.call(name, of: sequence, arguments, self)
        case .loop(let loop): return try call(name, of: loop, arguments)
        default: break
        }
        throw Failure("'\(receiver.typeName)' object has no method \(name.quotedForMessage)")
    }

    // MARK: Macros

    private func call(_ macro: Macro, _ arguments: Arguments) throws(Failure) -> Value {
        try fuel.enter()
        defer { fuel.leave() }
        let definition = macro.definition
        try fuel.charge(elements: definition.parameters.count * (1 + arguments.keywords.count))
        let variables = try bind(arguments, to: definition)
        let callLine = line
        let result = try capture { () throws(Failure) in
            try scoped(variables, parent: macro.scope) { () throws(Failure) in
                try fillIn(definition.parameters)
                _ = try run(definition.body)
            }
        }
        line = callLine
        return result
    }

    /// The variables that the arguments of a macro become.
    private func bind(_ arguments: Arguments, to macro: MacroDefinition) throws(Failure) -> [String: Value] {
        var variables: [String: Value] = [:]
        for (parameter, value) in zip(macro.parameters, arguments.positional) { variables[parameter.name] = value }
        var extra: OrderedDictionary<DictionaryKey, Value> = [:]
        for (name, value) in arguments.keywords {
            if variables[name] == nil,
                macro.parameters.contains(where: { $0.name == name })
                    || (name == "caller" && macro.specialNames.contains(name))
            {
                variables[name] = value
            } else {
                extra[.string(PythonString(name))] = value
            }
        }
        if macro.specialNames.contains("kwargs") {
            variables["kwargs"] = .dictionary(try PythonDictionary(extra, fuel))
        } else if case .string(let name)? = extra.keys.first {
            throw Failure("macro '\(macro.name)' takes no keyword argument \(name.text.quotedForMessage)")
        }
        if macro.specialNames.contains("varargs") {
            variables["varargs"] = try .tuple(
                Array(arguments.positional.dropFirst(macro.parameters.count)), fuel)
        } else if arguments.positional.count > macro.parameters.count {
            throw Failure("macro '\(macro.name)' takes not more than \(macro.parameters.count) argument(s)")
        }
        if macro.specialNames.contains("caller"), variables["caller"] == nil {
            variables["caller"] = .undefined(.hint("No caller defined"))
        }
        return variables
    }

    /// Gives parameters that were not passed their defaults, in order, so that a default can use what stands before.
    private func fillIn(_ parameters: [MacroDefinition.Parameter]) throws(Failure) {
        for parameter in parameters where scope.variables[parameter.name] == nil {
            if let fallback = parameter.fallback {
                scope.variables[parameter.name] = try evaluate(fallback)
            } else {
                let hint = "parameter \(parameter.name.quotedForMessage) was not provided"
                scope.variables[parameter.name] = .undefined(.hint(hint))
            }
        }
    }

    // MARK: Loops

    /// `loop(items)`: runs the body of a recursive loop for other items.
    private func call(_ loop: LoopState, _ arguments: Arguments) throws(Failure) -> Value {
        guard let recursion = loop.recursion else {
            throw Failure("The loop must have the 'recursive' marker to be called recursively.")
        }
        let iterable = try arguments.bind("iterable", to: "loop", required: 1)[0] ?? .none
        let callLine = line
        let result = try capture { () throws(Failure) in
            try scoped(parent: recursion.scope) { () throws(Failure) in
                try runLoop(recursion.statement, over: iterable, depth: loop.depth + 1)
            }
        }
        line = callLine
        return result
    }

    private func call(_ name: String, of loop: LoopState, _ arguments: Arguments) throws(Failure) -> Value {
        if name == "cycle" {
            guard !arguments.positional.isEmpty else { throw Failure("no items for cycling given") }
            return arguments.positional[loop.index % arguments.positional.count]
        }
        let comparison = Comparison(fuel: fuel)
        if let last = loop.lastChanged, try comparison.areEqual(last, arguments.positional) { return .bool(false) }
        loop.lastChanged = arguments.positional
        return .bool(true)
    }
}

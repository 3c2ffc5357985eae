internal import ModelFiles

/// The values that a function, filter or test is called with.
struct Arguments {
    var positional: [Value] = []
    var keywords: [(name: String, value: Value)] = []

    /// The values of the parameters of a function, nil for those not passed.
    ///
    /// - Throws: if an argument has no parameter, has two values, or one of the first `required` parameters has none.
    func bind(_ parameters: String..., to function: String, required: Int = 0) throws(Failure) -> [Value?] {
        guard positional.count <= parameters.count else {
            throw Failure("\(function) takes at most \(parameters.count) arguments, not \(positional.count)")
        }
        var values: [Value?] = positional + Array(repeating: nil, count: parameters.count - positional.count)
        for (name, value) in keywords {
            guard let index = parameters.firstIndex(of: name) else {
                throw Failure("\(function) has no parameter \(name.quotedForMessage)")
            }
            guard values[index] == nil else { throw Failure("\(function) got two values for '\(name)'") }
            values[index] = value
        }
        for index in 0..<required where values[index] == nil {
            throw Failure("\(function) needs a value for '\(parameters[index])'")
        }
        return values
    }
}

extension Value? {
    /// The integer of an argument, or the default if it was not passed.
    func integer(of function: String, default fallback: Int) throws(Failure) -> Int {
        guard let self else { return fallback }
        guard let value = self.integer else {
            throw Failure("\(function) expects an integer, not '\(self.typeName)'")
        }
        return value
    }

    /// The string of an argument, or nil if it was not passed or is none.
    func string(of function: String) throws(Failure) -> PythonString? {
        switch self {
        case nil, .some(.none): return nil
        case .some(.string(let value)): return value
        case .some(.undefined(let undefined)): throw undefined.failure
        case .some(let value): throw Failure("\(function) expects a string, not '\(value.typeName)'")
        }
    }

    /// The truth of an argument, or false if it was not passed.
    var isTrue: Bool { self?.isTrue ?? false }
}

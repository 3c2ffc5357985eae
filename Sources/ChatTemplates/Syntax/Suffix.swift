/// What follows an operand.
struct Suffix: Sendable {
    enum Kind: Sendable {
        case attribute(AttributeName)
        case item(Expression)
        case slice(start: Expression?, stop: Expression?, step: Expression?)
        case call(ArgumentList)
        case filter(FilterUse)
        case test(TestUse)
    }

    let kind: Kind
    let line: Int
}

/// A name after a dot, in the two forms in which it is looked up.
struct AttributeName: Sendable {
    let text: String
    let string: PythonString

    init(_ text: String) {
        self.text = text
        string = PythonString(text)
    }

    init(_ string: PythonString) {
        text = string.text
        self.string = string
    }
}

/// The arguments of a call, filter or test.
struct ArgumentList: Sendable {
    var positional: [Expression] = []
    var keywords: [(name: String, value: Expression)] = []
    /// The value after `*`.
    var splat: Expression?
    /// The value after `**`.
    var keywordSplat: Expression?
}

/// A filter with its arguments; the function is nil if there is none of this name and the use may never run.
struct FilterUse: Sendable {
    let name: String
    let function: Filter?
    let arguments: ArgumentList
}

/// A test with its arguments; the function is nil if there is none of this name and the use may never run.
struct TestUse: Sendable {
    let name: String
    let function: Test?
    let arguments: ArgumentList
    let isNegated: Bool
}

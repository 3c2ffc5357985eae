internal import OrderedCollections

/// A value of a running template, with Python's meaning.
///
/// Strings, lists and dictionaries are immutable, as transformers' sandbox refuses every method that changes them.
enum Value {
    case undefined(Undefined)
    case none
    case bool(Bool)
    case integer(Int)
    case float(Double)
    case string(PythonString)
    case sequence(PythonSequence)
    case dictionary(PythonDictionary)
    case generator(Generator)
    case namespace(Namespace)
    case loop(LoopState)
    case function(Function)
}

extension Value {
    static func string(_ scalars: [Unicode.Scalar]) -> Value { .string(PythonString(scalars)) }

    static func string(_ text: String) -> Value { .string(PythonString(text)) }

    static func list(_ elements: [Value], _ fuel: Fuel) throws(Failure) -> Value {
        .sequence(try PythonSequence(.list, elements, fuel))
    }

    static func tuple(_ elements: [Value], _ fuel: Fuel) throws(Failure) -> Value {
        .sequence(try PythonSequence(.tuple, elements, fuel))
    }

    /// Python's `bool(value)`.
    var isTrue: Bool {
        switch self {
        case .undefined, .none: false
        case .bool(let value): value
        case .integer(let value): value != 0
        case .float(let value): value != 0
        case .string(let value): !value.isEmpty
        case .sequence(let value): !value.elements.isEmpty
        case .dictionary(let value): !value.members.isEmpty
        // A generator is true even if nothing comes out of it, as in Python.
        case .generator, .namespace, .loop, .function: true
        }
    }

    /// The name of the Python type.
    var typeName: String {
        switch self {
        case .undefined: "Undefined"
        case .none: "NoneType"
        case .bool: "bool"
        case .integer: "int"
        case .float: "float"
        case .string(let value): value.isMarkup ? "Markup" : "str"
        case .sequence(let value): value.kind.rawValue
        case .dictionary: "dict"
        case .generator: "generator"
        case .namespace: "Namespace"
        case .loop: "LoopContext"
        case .function(let value): value.typeName
        }
    }

    /// The number of containers nested in this value, itself included.
    var depth: Int {
        switch self {
        case .sequence(let value): value.depth
        case .dictionary(let value): value.depth
        case .generator(let value): value.depth
        case .function(.method(let receiver, _)): receiver.depth + 1
        default: 0
        }
    }

    /// The value of a bool or an integer, which Python treats alike in arithmetic.
    var integer: Int? {
        switch self {
        case .bool(let value): value ? 1 : 0
        case .integer(let value): value
        default: nil
        }
    }

    /// The value of a bool, an integer or a float.
    var number: Double? {
        if case .float(let value) = self { value } else { integer.map(Double.init) }
    }
}

/// The depth of a container of these values, which is paid for.
func containerDepth(of values: some Collection<Value>, _ fuel: Fuel) throws(Failure) -> Int {
    try fuel.charge(elements: values.count)
    var depth = 0
    for value in values { depth = max(depth, value.depth) }
    guard depth < TemplateLimits.valueDepth else {
        throw Failure(.limit, "lists and dictionaries are nested deeper than \(TemplateLimits.valueDepth)")
    }
    return depth + 1
}

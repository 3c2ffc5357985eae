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

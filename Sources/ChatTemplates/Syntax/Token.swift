internal import ModelFiles

/// A token of a template and the line it starts on.
struct Token: Sendable {
    enum Kind: Sendable, Equatable {
        /// Text outside of tags.
        case data([Unicode.Scalar])
        case variableBegin, variableEnd
        case blockBegin, blockEnd
        case name(String)
        case string([Unicode.Scalar])
        case integer(Int)
        case float(Double)
        case symbol(Symbol)
        case end
    }

    let kind: Kind
    let line: Int

    /// How messages call it.
    var description: String {
        switch kind {
        case .data: "text"
        case .variableBegin: "'{{'"
        case .variableEnd: "'}}'"
        case .blockBegin: "'{%'"
        case .blockEnd: "'%}'"
        case .name(let name): name.quotedForMessage
        case .string(let scalars): "the string " + PythonString(scalars).text.quotedForMessage
        case .integer(let value): "the number \(value)"
        case .float(let value): "the number \(value)"
        case .symbol(let symbol): "'\(symbol.rawValue)'"
        case .end: "the end of the template"
        }
    }
}

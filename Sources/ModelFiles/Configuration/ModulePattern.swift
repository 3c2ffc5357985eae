/// An entry of a quantization configuration's list of modules that are left alone.
public struct ModulePattern: Sendable, Equatable, CustomStringConvertible {
    /// How the text selects modules.
    public enum Kind: Sendable, Equatable {
        /// The name of one module (compressed-tensors).
        case name
        /// A Python `fnmatch` pattern on the whole name (ModelOpt).
        case glob
        /// A pattern on the name of the module or of one that contains it (gpt-oss).
        case globOfContainer
        /// A Python regular expression, which is kept but matches nothing: such a list only serves diagnostics, and an
        /// expression from a file may take forever.
        case regularExpression
    }

    /// How the text selects modules.
    public let kind: Kind
    /// The pattern, without the `re:` that marks regular expressions.
    public let text: String

    /// A pattern of this kind and text.
    public init(kind: Kind, text: String) {
        self.kind = kind
        self.text = text
    }

    /// The pattern, a regular expression with its `re:`.
    public var description: String { kind == .regularExpression ? "re:" + text : text }

    /// Whether the module of this name, such as `model.layers.0.mlp.gate`, is selected.
    public func matches(_ module: String) -> Bool {
        switch kind {
        case .name: return module == text
        case .regularExpression: return false
        case .glob: return Glob(text).matches(Array(module.unicodeScalars)[...])
        case .globOfContainer:
            let glob = Glob(text)
            let scalars = Array(module.unicodeScalars)
            let ends = scalars.indices.filter { scalars[$0] == "." } + [scalars.endIndex]
            return ends.contains { glob.matches(scalars[..<$0]) }
        }
    }
}

/// A Python `fnmatch` pattern: `*`, `?`, `[abc]`, `[a-z]` and `[!abc]`.
private struct Glob {
    private enum Part {
        case anything
        case one((Unicode.Scalar) -> Bool)
    }

    private var parts: [Part] = []

    init(_ text: String) {
        var rest = Array(text.unicodeScalars)[...]
        while let first = rest.popFirst() {
            switch first {
            case "*": parts.append(.anything)
            case "?": parts.append(.one { _ in true })
            case "[":
                if let set = Self.popSet(&rest) {
                    parts.append(.one(set))
                } else {
                    parts.append(.one { $0 == "[" })
                }
            default: parts.append(.one { $0 == first })
            }
        }
    }

    /// Matches greedily and returns only to the last `*`, so that it takes at most O(pattern · name).
    func matches(_ name: ArraySlice<Unicode.Scalar>) -> Bool {
        var part = 0
        var position = name.startIndex
        var restart: (part: Int, position: Int)?
        while position < name.endIndex || part < parts.count {
            if part < parts.count {
                switch parts[part] {
                case .anything:
                    restart = (part, position + 1)
                    part += 1
                    continue
                case .one(let accepts):
                    if position < name.endIndex, accepts(name[position]) {
                        part += 1
                        position += 1
                        continue
                    }
                }
            }
            guard let (star, next) = restart, next <= name.endIndex else { return false }
            (part, position) = (star, next)
        }
        return true
    }

    /// Takes what follows a `[` up to its `]`, or nothing if there is none.
    private static func popSet(_ rest: inout ArraySlice<Unicode.Scalar>) -> ((Unicode.Scalar) -> Bool)? {
        var body = rest
        let isNegated = body.first == "!"
        if isNegated { body.removeFirst() }
        // A `]` in the first place stands for itself.
        guard let end = body.dropFirst().firstIndex(of: "]") else { return nil }
        rest = rest[(end + 1)...]
        body = body[..<end]
        var ranges: [ClosedRange<Unicode.Scalar>] = []
        while let low = body.popFirst() {
            if body.count >= 2, body.first == "-" {
                body.removeFirst()
                let high = body.removeFirst()
                if low <= high { ranges.append(low...high) }
            } else {
                ranges.append(low...low)
            }
        }
        return { scalar in ranges.contains { $0.contains(scalar) } != isNegated }
    }
}

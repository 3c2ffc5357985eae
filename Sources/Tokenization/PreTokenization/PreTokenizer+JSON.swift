internal import ModelFiles

extension PreTokenizer {
    /// Reads `pre_tokenizer`: `Split` and `Digits` steps in a `Sequence`, then `ByteLevel`.
    init(_ field: JSONField) throws(ModelFileError) {
        var steps: [Step] = []
        var isByteLevel = false
        for element in try field.flattened(by: "pretokenizers") {
            guard !isByteLevel else {
                throw element.error(
                    .unsupported, "found a step after ByteLevel, supported is ByteLevel as the last step")
            }
            let type = try element.type()
            switch type {
            case "Split": steps.append(.split(try Splitter(element)))
            case "Digits":
                let isIndividual = try element.member("individual_digits").boolean()
                steps.append(
                    .split(
                        Splitter(
                            program: try element.compile(#"\p{N}"#), behavior: isIndividual ? .isolated : .contiguous,
                            isInverted: false)))
            case "ByteLevel":
                isByteLevel = true
                if try element.member("add_prefix_space").boolean() { steps.append(.prefixSpace) }
                guard try element.optionalMember("use_regex")?.boolean() ?? true else { break }
                steps.append(
                    .split(
                        Splitter(
                            program: try element.compile(Self.byteLevelPattern), behavior: .isolated, isInverted: false)
                    ))
            default: throw element.unsupported(type, "Split, Digits, ByteLevel and Sequence")
            }
        }
        guard isByteLevel else {
            throw field.error(.unsupported, "found no ByteLevel step, supported are byte-level vocabularies only")
        }
        self.steps = steps
    }
}

extension Splitter {
    /// Reads a `Split` step.
    fileprivate init(_ field: JSONField) throws(ModelFileError) {
        let pattern = try field.member("pattern")
        if let expression = try pattern.optionalMember("Regex") {
            program = try expression.compile(try expression.string())
        } else if let literal = try pattern.optionalMember("String") {
            program = try literal.compile(literal: try literal.string())
        } else {
            throw pattern.error(.unsupported, "found neither of the supported Regex and String")
        }
        let name = try field.member("behavior").string()
        guard let behavior = Behavior(rawValue: name) else {
            let supported = Behavior.allCases.map(\.rawValue).joined(separator: ", ")
            throw try field.member("behavior").unsupported(name, supported)
        }
        self.behavior = behavior
        isInverted = try field.member("invert").boolean()
    }
}

extension JSONField {
    fileprivate func compile(_ pattern: String) throws(ModelFileError) -> PatternProgram {
        try compiling { () throws(PatternError) in
            var parser = try PatternParser(pattern)
            return try PatternProgram(try parser.parse())
        }
    }

    fileprivate func compile(literal: String) throws(ModelFileError) -> PatternProgram {
        try compiling { () throws(PatternError) in try PatternProgram(PatternSyntax(literal: literal)) }
    }

    private func compiling(
        _ compile: () throws(PatternError) -> PatternProgram
    ) throws(ModelFileError) -> PatternProgram {
        do {
            return try compile()
        } catch {
            throw self.error(
                error.isUnsupported ? .unsupported : .malformed,
                "at character \(error.position) of the pattern: \(error.message)")
        }
    }
}

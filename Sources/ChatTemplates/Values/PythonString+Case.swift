extension PythonString {
    var uppercased: PythonString {
        var result: [Unicode.Scalar] = []
        for scalar in scalars { scalar.appendUppercase(to: &result) }
        return with(result)
    }

    var lowercased: PythonString { with(lowercased(0..<count)) }

    /// The lower case of a part; a capital sigma at the end of a word becomes ς, as in Python.
    private func lowercased(_ range: Range<Int>) -> [Unicode.Scalar] {
        var result: [Unicode.Scalar] = []
        for index in range {
            let scalar = scalars[index]
            if scalar == "Σ", isFinal(index) {
                result.append("ς")
            } else {
                scalar.appendLowercase(to: &result)
            }
        }
        return result
    }

    /// Whether a cased letter stands before and none after, apart from those that casing ignores.
    private func isFinal(_ index: Int) -> Bool {
        let before = scalars[..<index].last { !$0.properties.isCaseIgnorable }
        let after = scalars[(index + 1)...].first { !$0.properties.isCaseIgnorable }
        return before?.properties.isCased ?? false && !(after?.properties.isCased ?? false)
    }

    /// The first character in title case, the rest in lower case.
    var capitalized: PythonString {
        guard let first = scalars.first else { return self }
        return with(Array(first.properties.titlecaseMapping.unicodeScalars) + lowercased(1..<count))
    }

    /// `str.title`: every run of cased letters starts with a title-case letter.
    var titled: PythonString {
        var result: [Unicode.Scalar] = []
        var isInWord = false
        for (index, scalar) in scalars.enumerated() {
            result +=
                isInWord ? lowercased(index..<index + 1) : Array(scalar.properties.titlecaseMapping.unicodeScalars)
            isInWord = scalar.properties.isCased
        }
        return with(result)
    }

    var caseSwapped: PythonString {
        var result: [Unicode.Scalar] = []
        for (index, scalar) in scalars.enumerated() {
            if scalar.isUpper {
                result += lowercased(index..<index + 1)
            } else {
                scalar.appendUppercase(to: &result)
            }
        }
        return with(result)
    }

    /// `str.isupper`: a cased letter, and none in lower or title case.
    var isUpper: Bool {
        scalars.contains(where: \.isUpper) && !scalars.contains { $0.isLower || $0.isTitle }
    }

    /// `str.islower`: a cased letter, and none in upper or title case.
    var isLower: Bool {
        scalars.contains(where: \.isLower) && !scalars.contains { $0.isUpper || $0.isTitle }
    }

    /// The string with `& < > ' "` written as HTML entities, unless it is markup already.
    func escaped(fuel: Fuel) throws(Failure) -> PythonString {
        guard !isMarkup else { return self }
        try fuel.charge(count)
        var result: [Unicode.Scalar] = []
        for scalar in scalars {
            switch scalar {
            case "&": result += "&amp;".unicodeScalars
            case "<": result += "&lt;".unicodeScalars
            case ">": result += "&gt;".unicodeScalars
            case "'": result += "&#39;".unicodeScalars
            case "\"": result += "&#34;".unicodeScalars
            default: result.append(scalar)
            }
        }
        return PythonString(result, isMarkup: true)
    }
}

// ASCII is decided without a look at the Unicode tables.
extension Unicode.Scalar {
    fileprivate var isUpper: Bool { isASCII ? ("A"..."Z").contains(self) : properties.isUppercase }

    fileprivate var isLower: Bool { isASCII ? ("a"..."z").contains(self) : properties.isLowercase }

    fileprivate var isTitle: Bool { !isASCII && properties.generalCategory == .titlecaseLetter }

    fileprivate func appendUppercase(to result: inout [Unicode.Scalar]) {
        if isASCII {
            result.append(("a"..."z").contains(self) ? Unicode.Scalar(UInt8(value) - 0x20) : self)
        } else {
            result += properties.uppercaseMapping.unicodeScalars
        }
    }

    fileprivate func appendLowercase(to result: inout [Unicode.Scalar]) {
        if isASCII {
            result.append(("A"..."Z").contains(self) ? Unicode.Scalar(UInt8(value) + 0x20) : self)
        } else {
            result += properties.lowercaseMapping.unicodeScalars
        }
    }
}

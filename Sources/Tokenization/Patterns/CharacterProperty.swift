/// The character properties that patterns can name, as sets built once from the standard library's Unicode data.
enum CharacterProperty {
    /// The set of each general category, by its short name: `Lu`, `Nd`.
    private static let categories: [String: ScalarSet] = {
        var ranges: [Unicode.GeneralCategory: [ClosedRange<UInt32>]] = [:]
        var runStart: UInt32 = 0
        var runCategory = Unicode.GeneralCategory.control
        for value in 0...ScalarSet.lastScalar + 1 {
            let category = Unicode.Scalar(value)?.properties.generalCategory ?? .surrogate
            guard category != runCategory || value > ScalarSet.lastScalar else { continue }
            ranges[runCategory, default: []].append(runStart...value - 1)
            (runStart, runCategory) = (value, category)
        }
        return Dictionary(uniqueKeysWithValues: ranges.map { (shortName(of: $0.key), ScalarSet($0.value)) })
    }()

    /// `\s`: White_Space.
    static let whitespace = ScalarSet { $0.properties.isWhitespace }

    /// `[\w]`: letters, marks, decimal digits and connector punctuation, as Oniguruma defines it.
    static let word = ScalarSet { $0.properties.isAlphabetic }
        .union(category("M")).union(category("Nd")).union(category("Pc"))

    /// `\w` outside brackets, where Oniguruma adds the superscript digits and the fractions of Latin-1.
    static let wordOutsideBrackets = word.union(ScalarSet([0xB2...0xB3, 0xB9...0xB9, 0xBC...0xBE]))

    /// Letters that have an upper and a lower case.
    static let cased = category("Lu").union(category("Ll")).union(category("Lt"))

    /// The set of a general category or of a group of them, or nil if there is none of that name.
    ///
    /// - Parameter name: a short or long name, `L` or `Lowercase_Letter`, in any case and with any of ` -_` left out.
    static func named(_ name: String) -> ScalarSet? {
        let key = name.filter { !" -_".contains($0) }.lowercased()
        return longNames[key].map(category)
    }

    /// The set of a category or group by its short name.
    static func category(_ shortName: String) -> ScalarSet {
        ScalarSet(categories.filter { $0.key.hasPrefix(shortName) }.flatMap(\.value.ranges))
    }

    /// The short name by every accepted spelling.
    private static let longNames: [String: String] = {
        let names = [
            "L": "Letter", "Lu": "Uppercase Letter", "Ll": "Lowercase Letter", "Lt": "Titlecase Letter",
            "Lm": "Modifier Letter", "Lo": "Other Letter", "M": "Mark", "Mn": "Nonspacing Mark",
            "Mc": "Spacing Mark", "Me": "Enclosing Mark", "N": "Number", "Nd": "Decimal Number",
            "Nl": "Letter Number", "No": "Other Number", "P": "Punctuation", "Pc": "Connector Punctuation",
            "Pd": "Dash Punctuation", "Ps": "Open Punctuation", "Pe": "Close Punctuation",
            "Pi": "Initial Punctuation", "Pf": "Final Punctuation", "Po": "Other Punctuation", "S": "Symbol",
            "Sm": "Math Symbol", "Sc": "Currency Symbol", "Sk": "Modifier Symbol", "So": "Other Symbol",
            "Z": "Separator", "Zs": "Space Separator", "Zl": "Line Separator", "Zp": "Paragraph Separator",
            "C": "Other", "Cc": "Control", "Cf": "Format", "Cs": "Surrogate", "Co": "Private Use",
            "Cn": "Unassigned",
        ]
        var spellings: [String: String] = [:]
        for (short, long) in names {
            spellings[short.lowercased()] = short
            spellings[long.filter { $0 != " " }.lowercased()] = short
        }
        return spellings
    }()

    private static func shortName(of category: Unicode.GeneralCategory) -> String {
        switch category {
        case .uppercaseLetter: "Lu"
        case .lowercaseLetter: "Ll"
        case .titlecaseLetter: "Lt"
        case .modifierLetter: "Lm"
        case .otherLetter: "Lo"
        case .nonspacingMark: "Mn"
        case .spacingMark: "Mc"
        case .enclosingMark: "Me"
        case .decimalNumber: "Nd"
        case .letterNumber: "Nl"
        case .otherNumber: "No"
        case .connectorPunctuation: "Pc"
        case .dashPunctuation: "Pd"
        case .openPunctuation: "Ps"
        case .closePunctuation: "Pe"
        case .initialPunctuation: "Pi"
        case .finalPunctuation: "Pf"
        case .otherPunctuation: "Po"
        case .mathSymbol: "Sm"
        case .currencySymbol: "Sc"
        case .modifierSymbol: "Sk"
        case .otherSymbol: "So"
        case .spaceSeparator: "Zs"
        case .lineSeparator: "Zl"
        case .paragraphSeparator: "Zp"
        case .control: "Cc"
        case .format: "Cf"
        case .surrogate: "Cs"
        case .privateUse: "Co"
        case .unassigned: "Cn"
        @unknown default: "Cn"
        }
    }
}

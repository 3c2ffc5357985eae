import ModelFiles

extension JSON {
    /// The value as indented lines for a person: `parameters: 24662272 (24.66 M)`.
    func outline(indent: String = "") -> String {
        guard case .object(let members) = self else { return indent + scalarText(key: "") + "\n" }
        return members.reduce(into: "") { text, member in
            let (key, value) = member
            let title = indent + (key.contains(where: \.isUppercase) ? key : key.replacing("_", with: " ")) + ":"
            switch value {
            case .object: text += title + "\n" + value.outline(indent: indent + "  ")
            case .array(let elements):
                text += title + (elements.isEmpty ? " none\n" : "\n")
                for element in elements { text += indent + "  " + element.scalarText(key: "") + "\n" }
            default:
                text += title + " " + value.scalarText(key: indent.isEmpty || key == "bytes" ? key : "bytes") + "\n"
            }
        }
    }

    private func scalarText(key: String) -> String {
        switch self {
        case .string(let text): text
        case .integer(let count) where count >= 1000 && key == "bytes": "\(count) (\(count.formattedBytes))"
        case .integer(let count) where count >= 1000 && key == "parameters": "\(count) (\(count.formattedCount))"
        case .null: "none"
        default: text()
        }
    }
}

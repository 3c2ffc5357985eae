extension String {
    /// The string without control characters and shortened, so that a message is one short line whatever a file holds.
    package var shortenedForMessage: String {
        let scalars = unicodeScalars.prefix(80)
        let text = scalars.map { $0.properties.generalCategory == .control ? "\u{FFFD}" : String($0) }.joined()
        return scalars.endIndex < unicodeScalars.endIndex ? text + "…" : text
    }

    /// The string in quotes, shortened.
    package var quotedForMessage: String { "'" + shortenedForMessage + "'" }
}

/// Why a pattern was refused.
struct PatternError: Error, Equatable {
    /// What is wrong, and what to write instead.
    let message: String
    /// The character at which it was found, from 0.
    let position: Int
    /// Whether the pattern is sound, but uses a construct that Nibble does not implement.
    let isUnsupported: Bool
}

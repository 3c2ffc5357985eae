/// Which kernel computes a layer for which numbers of tokens, and why the others do not.
public struct MoEResolution: Sendable, Equatable, CustomStringConvertible {
    /// The choice for some numbers of tokens.
    public struct Choice: Sendable, Equatable {
        /// The numbers of tokens.
        public let tokenCounts: ClosedRange<Int>
        /// What computes them.
        public let backend: MoEBackend
        /// Its kernel, with its parameters.
        public let kernel: String
    }

    /// A candidate that was not chosen.
    public struct Refusal: Sendable, Equatable {
        /// The numbers of tokens.
        public let tokenCounts: ClosedRange<Int>
        /// The candidate.
        public let backend: MoEBackend
        /// Why it was not chosen.
        public let reason: String
    }

    /// The choices, by rising numbers of tokens.
    public internal(set) var choices: [Choice] = []
    /// The candidates that were not chosen.
    public internal(set) var refusals: [Refusal] = []

    /// A line for each choice and refusal.
    public var description: String { lines.joined(separator: "\n") }

    var lines: [String] {
        choices.map { "\(Self.words($0.tokenCounts)): \($0.backend.rawValue), \($0.kernel)" }
            + refusals.map { "\(Self.words($0.tokenCounts)): not \($0.backend.rawValue), \($0.reason)" }
    }

    private static func words(_ counts: ClosedRange<Int>) -> String {
        switch (counts.lowerBound, counts.upperBound) {
        case (1, 1): "1 token"
        case (let first, let last): first == last ? "\(first) tokens" : "\(first) to \(last) tokens"
        }
    }
}

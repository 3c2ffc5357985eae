/// Watches streamed text for stop strings and holds back what may yet become one.
struct StopSequences {
    private let stops: [[UInt8]]
    private var held: [UInt8] = []

    /// Empty stop strings are ignored.
    init(_ stops: [String]) {
        self.stops = stops.map { Array($0.utf8) }.filter { !$0.isEmpty }
    }

    /// Takes more text; returns what is certain to precede any stop string, and whether one was found.
    mutating func append(_ text: String) -> (text: String, isStopped: Bool) {
        guard !stops.isEmpty else { return (text, false) }
        held += text.utf8
        if let start = stops.compactMap(firstIndex).min() {
            return (String(decoding: held[..<start], as: UTF8.self), true)
        }
        let kept = stops.map(lengthOfPartialMatch).max() ?? 0
        let certain = String(decoding: held[..<(held.count - kept)], as: UTF8.self)
        held.removeFirst(held.count - kept)
        return (certain, false)
    }

    /// The text held back, once no more will come.
    mutating func finish() -> String {
        defer { held = [] }
        return String(decoding: held, as: UTF8.self)
    }

    private func firstIndex(of stop: [UInt8]) -> Int? {
        guard held.count >= stop.count else { return nil }
        return (0...(held.count - stop.count)).first { held[$0...].starts(with: stop) }
    }

    /// How many of the last bytes are the beginning of the stop string.
    ///
    /// A match begins with a whole character, as valid UTF-8 strings match at character borders only.
    private func lengthOfPartialMatch(_ stop: [UInt8]) -> Int {
        let longest = min(stop.count - 1, held.count)
        return (0...longest).reversed().first { held.suffix($0).elementsEqual(stop.prefix($0)) } ?? 0
    }
}

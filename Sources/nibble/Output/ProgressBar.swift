/// A line on a terminal's standard error that shows how far long work has come; silent elsewhere.
struct ProgressBar {
    private let title: String
    private let unit: String
    private let isShown: Bool
    private let start = ContinuousClock.now
    private var lastPercent = -1

    init(_ title: String, unit: String) {
        self.title = title
        self.unit = unit
        isShown = StandardError.isTerminal
    }

    /// Shows that `count` of `total` are done.
    mutating func show(_ count: Int, of total: Int) {
        let percent = total > 0 ? min(100, 100 * count / total) : 100
        guard isShown, percent != lastPercent else { return }
        lastPercent = percent
        let filled = percent / 4
        let bar = String(repeating: "█", count: filled) + String(repeating: "·", count: 25 - filled)
        let elapsed = ContinuousClock.now - start
        let remaining = percent > 0 ? elapsed * (100 - percent) / percent : .zero
        StandardError.write(
            "\r\(title): \(percent)% |\(bar)| \(count)/\(total) \(unit) "
                + "[\(elapsed.formattedClock)<\(remaining.formattedClock)]\u{1B}[K")
    }

    /// Removes the line.
    mutating func finish() {
        if isShown, lastPercent >= 0 { StandardError.write("\r\u{1B}[K") }
    }
}

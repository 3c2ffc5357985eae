import Benchmarking

extension Duration {
    /// The duration in milliseconds, to the microsecond.
    var milliseconds: Double { (seconds * 1e6).rounded() / 1e3 }

    /// `1.52 s`.
    var formattedSeconds: String { "\(seconds.formatted(decimals: 2)) s" }

    /// `01:05`.
    var formattedClock: String {
        let whole = Int(seconds)
        let remainder = whole % 60
        return "\(whole / 60 < 10 ? "0" : "")\(whole / 60):\(remainder < 10 ? "0" : "")\(remainder)"
    }
}

extension Int {
    /// `24.66 M`: a count in the unit that fits.
    var formattedCount: String { formatted(units: ["", " K", " M", " G", " T"]) }

    /// `13.20 MB`: a number of bytes in powers of 1000.
    var formattedBytes: String { formatted(units: [" B", " kB", " MB", " GB", " TB"]) }

    private func formatted(units: [String]) -> String {
        var value = Double(self)
        var unit = 0
        while value.magnitude >= 999.995, unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        return (unit == 0 ? "\(self)" : value.formatted(decimals: 2)) + units[unit]
    }
}

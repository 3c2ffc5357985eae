#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// A logarithmic axis from one whole power of its base to another.
struct LogarithmicAxis {
    private let base: Double
    private let exponents: ClosedRange<Int>
    private let start: Double
    private let end: Double

    /// An axis that covers some values, at least one power of the base.
    ///
    /// - Parameters:
    ///   - values: finite and above zero.
    ///   - start: where on the page the smallest power lies.
    ///   - end: where on the page the largest power lies.
    init(_ values: [Double], base: Double, from start: Double, to end: Double) {
        self.base = base
        self.start = start
        self.end = end
        // The tolerance keeps a whole power, whose logarithm may be rounded, at the end of the axis.
        let lowest = Int((log(values.min() ?? 1) / log(base) + 1e-9).rounded(.down))
        let highest = Int((log(values.max() ?? 1) / log(base) - 1e-9).rounded(.up))
        exponents = lowest...max(highest, lowest + 1)
    }

    /// The powers of the base on the axis, by rising exponent; every second, third, … one where there are many.
    var ticks: [Double] {
        stride(from: exponents.lowerBound, through: exponents.upperBound, by: (exponents.count + 13) / 14)
            .map { pow(base, Double($0)) }
    }

    /// Where on the page a value lies.
    func position(of value: Double) -> Double {
        let exponent = log(value) / log(base)
        let share = (exponent - Double(exponents.lowerBound)) / Double(exponents.count - 1)
        return start + share * (end - start)
    }
}

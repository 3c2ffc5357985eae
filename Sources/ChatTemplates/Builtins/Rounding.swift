#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Decimal rounding of binary floats.
enum Rounding {
    /// Python's `round(value, precision)`: the nearest decimal, a tie to the even digit; nil if it is not finite.
    static func round(_ value: Double, precision: Int) -> Double? {
        guard value.isFinite else { return nil }
        if precision > 300 { return value }
        if precision >= 0 {
            // The C library rounds the exact binary value, as Python does.
            guard let text = PercentFormat.describe(value, "f", precision: precision) else { return value }
            return Double(text)
        }
        guard precision >= -308 else { return 0 }
        let scale = power(of: 10, -precision)
        let rounded = (value / scale).rounded(.toNearestOrEven) * scale
        return rounded.isFinite ? rounded : nil
    }

    /// The same for an integer, which only a negative precision changes; nil if the result does not fit 64 bits.
    static func round(_ value: Int, precision: Int) -> Int? {
        guard precision < 0 else { return value }
        guard precision > -19 else { return 0 }
        let unit = (0..<(-precision)).reduce(1) { unit, _ in unit * 10 }
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: unit)
        let half = unit / 2
        let isUp = remainder.magnitude > half || (remainder.magnitude == half && !quotient.isMultiple(of: 2))
        let (rounded, overflow) = (quotient + (isUp ? value.signum() : 0)).multipliedReportingOverflow(by: unit)
        return overflow ? nil : rounded
    }

    static func power(of base: Double, _ exponent: Int) -> Double { pow(base, Double(exponent)) }
}

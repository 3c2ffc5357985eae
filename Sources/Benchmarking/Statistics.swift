/// Figures of repeated measurements.
public struct Statistics: Sendable {
    private let sorted: [Double]

    /// Takes at least one finite measurement; the order does not matter.
    public init(_ values: [Double]) {
        precondition(!values.isEmpty && values.allSatisfy(\.isFinite), "statistics need measurements")
        sorted = values.sorted()
    }

    /// The smallest measurement.
    public var minimum: Double { sorted[0] }
    /// The largest measurement.
    public var maximum: Double { sorted[sorted.count - 1] }
    /// The arithmetic mean.
    public var mean: Double { sorted.reduce(0, +) / Double(sorted.count) }
    /// The 50th percentile.
    public var median: Double { percentile(50) }

    /// The value below which `percent` of the measurements lie, linear between neighbours as in `numpy.percentile`.
    public func percentile(_ percent: Double) -> Double {
        let position = min(max(percent, 0), 100) / 100 * Double(sorted.count - 1)
        let lower = Int(position)
        let upper = min(lower + 1, sorted.count - 1)
        return sorted[lower] + (sorted[upper] - sorted[lower]) * (position - Double(lower))
    }
}

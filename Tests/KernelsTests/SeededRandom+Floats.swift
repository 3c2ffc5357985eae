import TestSupport

extension SeededRandom {
    /// Values between -1 and 1, times a factor.
    mutating func floats(_ count: Int, scale: Float = 1) -> [Float] {
        (0..<count).map { _ in Float.random(in: -1...1, using: &self) * scale }
    }
}

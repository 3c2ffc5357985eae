public import Kernels

/// The rate at which a CPU backend's threads multiply and add: the ceiling of prefill.
public enum ArithmeticPeak {
    /// Multiplies and adds in registers with all threads several times and takes the fastest pass.
    ///
    /// - Parameters:
    ///   - factors: what is multiplied.
    ///   - duration: about the time of a pass.
    /// - Returns: multiplications and additions per second.
    public static func measure(
        _ backend: CPUBackend, of factors: ProductFactors, duration: Duration = .milliseconds(40), passCount: Int = 5
    ) -> Double {
        let clock = ContinuousClock()
        var roundCount = 1 << 10
        // The first passes find how many rounds fill the time, and let the clock rate settle.
        while roundCount < 1 << 40,
            clock.measure({ _ = backend.runMultiplyAdds(of: factors, roundCount: roundCount) }) < duration
        {
            roundCount *= 2
        }
        let rates = (0..<passCount).map { _ in
            var operationCount = 0
            let elapsed = clock.measure {
                operationCount = backend.runMultiplyAdds(of: factors, roundCount: roundCount)
            }
            return Double(operationCount) / elapsed.seconds
        }
        return rates.max() ?? 0
    }
}

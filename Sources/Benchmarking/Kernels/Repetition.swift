/// How often an operation is repeated.
public struct Repetition: Sendable, Equatable {
    /// The time after which no further repetition begins.
    public var duration: Duration
    /// The repetitions that are made whatever they take.
    public var minimumCount: Int
    /// The repetitions after which it is enough.
    public var maximumCount: Int

    /// Bounds the repetitions.
    public init(duration: Duration = .milliseconds(700), minimumCount: Int = 3, maximumCount: Int = 5000) {
        self.duration = duration
        self.minimumCount = minimumCount
        self.maximumCount = maximumCount
    }

    /// Runs an operation once to warm up and then repeatedly.
    ///
    /// - Parameter operation: is given 0, 1, 2, … and returns when it is done.
    /// - Returns: the seconds of each repetition but the first.
    func measure(_ operation: (Int) throws -> Void) rethrows -> Statistics {
        let clock = ContinuousClock()
        try operation(0)
        let start = clock.now
        var seconds: [Double] = []
        while seconds.count < max(1, minimumCount) || (seconds.count < maximumCount && clock.now - start < duration) {
            seconds.append(try clock.measure { try operation(seconds.count + 1) }.seconds)
        }
        return Statistics(seconds)
    }
}

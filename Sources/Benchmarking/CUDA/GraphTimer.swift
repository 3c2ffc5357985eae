internal import CUDA

/// Times launches that follow each other in one CUDA graph.
struct GraphTimer {
    /// The time that the replays of a graph take together, about.
    private static let duration = 0.05
    private static let replayCounts = 5...25

    let stream: Stream
    /// The launches in a graph.
    let launchCount: Int

    /// Captures launches, replays them, and returns the seconds of a launch in each replay.
    ///
    /// - Parameter launch: puts launch 0, 1, … into the stream.
    func measure(_ launch: (Int) throws -> Void) throws -> Statistics {
        let graph = try stream.capture {
            for index in 0..<launchCount { try launch(index) }
        }
        let (start, end) = (try Event(stream.context), try Event(stream.context))
        func seconds() throws -> Double {
            try start.record(on: stream)
            try graph.launch(on: stream)
            try end.record(on: stream)
            try end.synchronize()
            return try end.duration(since: start).seconds
        }
        try graph.upload(on: stream)
        _ = try seconds()
        let first = try seconds()
        let count = min(
            max(Int(Self.duration / max(first, 1e-6)), Self.replayCounts.lowerBound), Self.replayCounts.upperBound)
        let replays = try (0..<count).map { _ in try seconds() }
        return Statistics(replays.map { $0 / Double(launchCount) })
    }
}

/// Runs of blocks that threads take one after another, each half as long as the one before.
///
/// Where a task goes through many matrices, its run of each is read from an address of its own, so long runs cost less; and
/// nobody waits long for the last ones, which are short.
enum FallingRuns {
    /// Divides `0..<blockCount` into a share for each thread, one after another, and each share into the same number of
    /// runs.
    static func dividing(_ blockCount: Int, threadCount: Int) -> [Range<Int>] {
        let shareCount = min(blockCount, threadCount)
        guard shareCount > 0 else { return [] }
        let smallest = blockCount / shareCount
        let runCount = max(1, Int.bitWidth - 1 - smallest.leadingZeroBitCount)
        return (0..<shareCount).flatMap { share in
            let (start, end) = (blockCount * share / shareCount, blockCount * (share + 1) / shareCount)
            return (0..<runCount).map { run in
                let next = run + 1 < runCount ? (end - start) >> (run + 1) : 0
                return end - (end - start) >> run..<end - next
            }
        }
    }
}

import Testing

@testable import Kernels

struct FallingRunsTests {
    @Test(
        "gives each thread as many runs, which follow each other, cover all blocks and become shorter",
        arguments: [1, 2, 3, 4, 5, 8, 16, 18, 33, 48, 127, 128, 180, 448], [1, 2, 3, 4, 6, 7, 64])
    func covers(blockCount: Int, threadCount: Int) {
        let runs = FallingRuns.dividing(blockCount, threadCount: threadCount)
        #expect(runs.flatMap { $0 } == Array(0..<blockCount))
        #expect(runs.allSatisfy { !$0.isEmpty })

        let shareCount = min(blockCount, threadCount)
        #expect(runs.count % shareCount == 0)
        let runsPerShare = runs.count / shareCount
        for share in 0..<shareCount {
            let sizes = runs[share * runsPerShare..<(share + 1) * runsPerShare].map(\.count)
            #expect(sizes == sizes.sorted(by: >))
            #expect(sizes.reduce(0, +) - blockCount / shareCount <= 1)
        }
    }

    @Test("halves each thread's share until two blocks are left")
    func halves() {
        let sizes = FallingRuns.dividing(128, threadCount: 2).map(\.count)
        #expect(sizes == [32, 16, 8, 4, 2, 2, 32, 16, 8, 4, 2, 2])
    }

    @Test("has no runs without blocks")
    func nothing() {
        #expect(FallingRuns.dividing(0, threadCount: 4).isEmpty)
    }
}

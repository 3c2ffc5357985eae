import Synchronization
import Testing

@testable import Kernels

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

struct ThreadPoolTests {
    @Test("runs every task exactly once", arguments: [1, 2, 3, 6], [1, 2, 6])
    func everyTaskOnce(threadCount: Int, processorCount: Int) throws {
        let pool = try ThreadPool(threadCount: threadCount, processorCount: processorCount)
        for taskCount in [0, 1, 2, 3, 7, 64, 1000] {
            let counters = Counters(taskCount)
            for _ in 0..<20 { pool.run(taskCount) { counters.increment($0) } }
            #expect(counters.values == Array(repeating: 20, count: taskCount))
        }
    }

    @Test("survives many tiny runs", arguments: [(2, 2, 100_000), (6, 2, 50_000), (6, 6, 2_000)])
    func manyRuns(threadCount: Int, processorCount: Int, runCount: Int) throws {
        let pool = try ThreadPool(threadCount: threadCount, processorCount: processorCount)
        let counters = Counters(4)
        // Every task sees what all tasks of the run before wrote.
        let written = UnsafeMutablePointer<Int>.allocate(capacity: 4)
        written.initialize(repeating: 0, count: 4)
        defer { written.deallocate() }
        for run in 1...runCount {
            let isLate = (0..<4).contains { written[$0] != run - 1 }
            if isLate { Issue.record("a task of run \(run - 1) is missing") }
            pool.run(4) { task in
                written[task] += 1
                counters.increment(task)
            }
        }
        #expect(counters.values == [runCount, runCount, runCount, runCount])
    }

    @Test("wakes workers that have gone to sleep", arguments: [2, 6], [2, 6])
    func wakes(threadCount: Int, processorCount: Int) throws {
        let pool = try ThreadPool(threadCount: threadCount, processorCount: processorCount)
        let counters = Counters(100)
        for _ in 0..<50 {
            usleep(500)
            pool.run(100) { counters.increment($0) }
        }
        #expect(counters.values == Array(repeating: 50, count: 100))
    }

    @Test("runs a run within a task in that task")
    func nested() throws {
        let pool = try ThreadPool(threadCount: 3)
        let counters = Counters(100)
        for _ in 0..<100 {
            pool.run(10) { outer in pool.run(10) { counters.increment(outer * 10 + $0) } }
        }
        #expect(counters.values == Array(repeating: 100, count: 100))
    }

    @Test("serves several threads at the same time")
    func concurrent() async throws {
        let pool = try ThreadPool(threadCount: 2)
        let counters = Counters(10)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask { for _ in 0..<1000 { pool.run(10) { counters.increment($0) } } }
            }
        }
        #expect(counters.values == Array(repeating: 4000, count: 10))
    }

    @Test("gives a lane one task at a time", arguments: [1, 2, 6])
    func lanes(threadCount: Int) throws {
        let pool = try ThreadPool(threadCount: threadCount, processorCount: threadCount)
        let tasks = Counters(500)
        let lanes = Counters(threadCount)
        let overlaps = Counters(1)
        pool.runInLanes(500, operationCount: .max) { task, lane in
            if lanes.increment(lane) != 1 { overlaps.increment(0) }
            tasks.increment(task)
            lanes.decrement(lane)
        }
        #expect(tasks.values == Array(repeating: 1, count: 500))
        #expect(overlaps.values == [0])
    }

    @Test("covers a range without gaps", arguments: [0, 1, 5, 1000], [0, 1 << 16, 1 << 30])
    func ranges(count: Int, operationCount: Int) throws {
        let pool = try ThreadPool(threadCount: 3)
        let counters = Counters(count)
        pool.runInRanges(count, operationCount: operationCount) { for index in $0 { counters.increment(index) } }
        #expect(counters.values == Array(repeating: 1, count: count))
    }

    @Test("refuses impossible thread counts", arguments: [0, -1, 1025, .min, .max])
    func refuses(threadCount: Int) {
        #expect(throws: KernelError.self) { try ThreadPool(threadCount: threadCount) }
    }
}

/// Counters that several threads may change.
private final class Counters: @unchecked Sendable {
    private let counts: UnsafeMutableBufferPointer<Atomic<Int>>

    init(_ count: Int) {
        counts = .allocate(capacity: count)
        for index in 0..<count { counts.initializeElement(at: index, to: Atomic(0)) }
    }

    deinit {
        for index in counts.indices { counts.deinitializeElement(at: index) }
        counts.deallocate()
    }

    var values: [Int] { counts.indices.map { counts[$0].load(ordering: .sequentiallyConsistent) } }

    @discardableResult
    func increment(_ index: Int) -> Int { counts[index].add(1, ordering: .sequentiallyConsistent).newValue }

    func decrement(_ index: Int) { counts[index].subtract(1, ordering: .sequentiallyConsistent) }
}

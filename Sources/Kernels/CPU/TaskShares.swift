import Synchronization

/// The tasks of a run, divided among lanes: each goes through its own in order, and then helps the others.
///
/// A lane's neighbouring tasks read neighbouring memory, and as long as it has its own, it counts in a cache line that
/// no other thread touches.
struct TaskShares: @unchecked Sendable {
    /// Counters, so many apart that two are neither in one cache line nor fetched in a pair of lines.
    private let counters: UnsafeMutablePointer<Atomic<Int>>
    private static let counterStride = 16
    private let laneLimit: Int

    /// Makes counters for up to `laneLimit` lanes.
    init(laneLimit: Int) {
        self.laneLimit = laneLimit
        counters = .allocate(capacity: laneLimit * Self.counterStride)
        for index in 0..<laneLimit * Self.counterStride { (counters + index).initialize(to: Atomic(0)) }
    }

    /// Frees the counters, which nobody may use any more.
    func deallocate() {
        counters.deinitialize(count: laneLimit * Self.counterStride)
        counters.deallocate()
    }

    /// Gives each of `laneCount` lanes its share; for the caller of a run, before it begins.
    func divide(_ taskCount: Int, among laneCount: Int) {
        for lane in 0..<laneCount {
            counter(lane).pointee.store(taskCount * lane / laneCount, ordering: .relaxed)
        }
    }

    /// Runs the tasks of a lane, and then those that other lanes have not begun.
    func runTasks(of lane: Int, taskCount: Int, laneCount: Int, _ body: (Int) -> Void) {
        for offset in 0..<laneCount {
            let owner = (lane + offset) % laneCount
            let end = taskCount * (owner + 1) / laneCount
            while true {
                let task = counter(owner).pointee.add(1, ordering: .relaxed).oldValue
                guard task < end else { break }
                body(task)
            }
        }
    }

    private func counter(_ lane: Int) -> UnsafeMutablePointer<Atomic<Int>> { counters + lane * Self.counterStride }
}

import CCPUKernels
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The tasks of a thread pool's current run, and where its threads wait.
///
/// Tasks are claimed by counting `unclaimed` down. A claim is valid if the count was positive, and only then may the
/// claimant read `taskCount` and `body`: the run cannot end before the claimed task. A worker that comes late finds
/// nothing, or a task of the next run, so nobody has to wait for workers that have no task.
final class TaskQueue: @unchecked Sendable {
    private let unclaimed = Atomic<Int>(0)
    private let unfinished = Atomic<Int>(0)
    private let sleepingWorkers = Atomic<Int>(0)
    private let callerSleeps = Atomic<Bool>(false)
    private let isStopping = Atomic<Bool>(false)
    private let isInUse = Atomic<Bool>(false)
    private var taskCount = 0
    private var body: ((Int) -> Void)?

    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let workArrived = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let workFinished = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let workerCount: Int
    private let awakeLimit: Int

    /// How long a thread spins before it sleeps: longer than the serial parts between two operations of a forward pass,
    /// and than choosing a token between two passes.
    private static let spinDuration = Duration.microseconds(100)

    /// Makes an empty queue for workers of which at most `awakeLimit` are kept awake.
    init(workerCount: Int, awakeLimit: Int) {
        self.workerCount = workerCount
        self.awakeLimit = awakeLimit
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(workArrived, nil)
        pthread_cond_init(workFinished, nil)
    }

    deinit {
        pthread_cond_destroy(workFinished)
        pthread_cond_destroy(workArrived)
        pthread_mutex_destroy(mutex)
        workFinished.deallocate()
        workArrived.deallocate()
        mutex.deallocate()
    }

    /// Takes the queue for one caller; false if somebody has it.
    func acquire() -> Bool { !isInUse.exchange(true, ordering: .acquiring) }

    /// Gives back the queue.
    func release() { isInUse.store(false, ordering: .releasing) }

    /// Runs all tasks together with the workers; for the caller that acquired the queue.
    func run(_ taskCount: Int, _ body: @escaping (Int) -> Void) {
        self.taskCount = taskCount
        self.body = body
        unfinished.store(taskCount, ordering: .relaxed)
        unclaimed.store(taskCount, ordering: .sequentiallyConsistent)
        wakeWorkers(atMost: taskCount - 1)
        runClaimedTasks()
        waitUntilFinished()
        self.body = nil
    }

    /// A worker's life: ends after `stop()`.
    func work() {
        while !isStopping.load(ordering: .acquiring) {
            runClaimedTasks()
            waitForTasks()
        }
    }

    /// Lets the workers end.
    func stop() {
        pthread_mutex_lock(mutex)
        isStopping.store(true, ordering: .sequentiallyConsistent)
        pthread_cond_broadcast(workArrived)
        pthread_mutex_unlock(mutex)
    }

    private var hasTasks: Bool { unclaimed.load(ordering: .sequentiallyConsistent) > 0 }
    private var isFinished: Bool { unfinished.load(ordering: .sequentiallyConsistent) == 0 }

    private func runClaimedTasks() {
        while hasTasks {
            let claim = unclaimed.subtract(1, ordering: .sequentiallyConsistent).oldValue
            guard claim > 0 else { return }
            perform(claim)
            let isLast = unfinished.subtract(1, ordering: .sequentiallyConsistent).newValue == 0
            if isLast, callerSleeps.load(ordering: .sequentiallyConsistent) {
                pthread_mutex_lock(mutex)
                pthread_cond_signal(workFinished)
                pthread_mutex_unlock(mutex)
            }
        }
    }

    /// Not inlined, so that the reference to `body` is gone before the task counts as finished.
    @inline(never)
    private func perform(_ claim: Int) { body?(taskCount - claim) }

    /// Wakes as many workers as are missing from those awake, which find the tasks by themselves.
    private func wakeWorkers(atMost count: Int) {
        let sleeping = sleepingWorkers.load(ordering: .sequentiallyConsistent)
        let missing = min(count, awakeLimit) - (workerCount - sleeping)
        guard missing > 0 else { return }
        pthread_mutex_lock(mutex)
        for _ in 0..<missing { pthread_cond_signal(workArrived) }
        pthread_mutex_unlock(mutex)
    }

    private func waitForTasks() {
        let awake = workerCount - sleepingWorkers.load(ordering: .relaxed)
        // One worker too many would keep another from its task.
        if awake <= awakeLimit, spin(until: { hasTasks || isStopping.load(ordering: .relaxed) }) { return }
        pthread_mutex_lock(mutex)
        sleepingWorkers.add(1, ordering: .sequentiallyConsistent)
        while !hasTasks, !isStopping.load(ordering: .sequentiallyConsistent) { pthread_cond_wait(workArrived, mutex) }
        sleepingWorkers.subtract(1, ordering: .sequentiallyConsistent)
        pthread_mutex_unlock(mutex)
    }

    private func waitUntilFinished() {
        if spin(until: { isFinished }) { return }
        callerSleeps.store(true, ordering: .sequentiallyConsistent)
        pthread_mutex_lock(mutex)
        while !isFinished { pthread_cond_wait(workFinished, mutex) }
        pthread_mutex_unlock(mutex)
        callerSleeps.store(false, ordering: .sequentiallyConsistent)
    }

    /// Waits without sleeping; false if the condition did not come true in time.
    ///
    /// Gives way now and then, about every ten microseconds: the thread waited for may be queued for this processor.
    private func spin(until condition: () -> Bool) -> Bool {
        let deadline = SuspendingClock.now + Self.spinDuration
        repeat {
            if condition() { return true }
            for _ in 0..<512 {
                nibble_cpu_pause()
                if condition() { return true }
            }
            sched_yield()
        } while SuspendingClock.now < deadline
        return condition()
    }
}

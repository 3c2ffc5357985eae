import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Threads that run the numbered tasks of one operation after another.
///
/// Between two operations a worker first spins, so that the next one starts within about a microsecond, and then
/// sleeps. Workers are not pinned: the processors are shared with whatever else runs there, and a pinned worker would
/// wait behind another process while a second processor is idle.
final class ThreadPool: Sendable {
    /// The number of threads that run tasks, with the calling one.
    let threadCount: Int
    /// The number of threads that run tasks at the same time: not more than there are processors.
    let awakeThreadCount: Int
    private let queue: TaskQueue
    private let shares: TaskShares
    private let workers: [pthread_t]

    /// The largest number of threads that can be asked for.
    static let maximumThreadCount = 1024

    /// About two microseconds of vector instructions on one core: twice what it takes to share work.
    private static let leastSharedOperationCount = 1 << 16
    private static let operationsPerTask = 1 << 14

    /// Starts `threadCount - 1` workers, of which no more are awake at a time than there are other processors.
    ///
    /// - Throws: ``KernelError`` if the count is not in `1...maximumThreadCount` or the system refuses a thread.
    init(
        threadCount: Int, processorCount: Int = ProcessorCount.system.logical
    ) throws(KernelError) {
        guard (1...Self.maximumThreadCount).contains(threadCount) else {
            throw KernelError("\(threadCount) threads asked for, expected 1 to \(Self.maximumThreadCount)")
        }
        awakeThreadCount = min(threadCount, processorCount)
        let queue = TaskQueue(workerCount: threadCount - 1, awakeLimit: awakeThreadCount - 1)
        var workers: [pthread_t] = []
        while workers.count < threadCount - 1 {
            guard let worker = Self.startWorker(of: queue) else {
                queue.stop()
                for worker in workers { pthread_join(worker, nil) }
                throw KernelError("the system refuses thread \(workers.count + 2) of \(threadCount)")
            }
            workers.append(worker)
        }
        self.threadCount = threadCount
        shares = TaskShares(laneLimit: threadCount)
        self.queue = queue
        self.workers = workers
    }

    deinit {
        queue.stop()
        for worker in workers { pthread_join(worker, nil) }
        shares.deallocate()
    }

    /// Runs `body(0)` to `body(taskCount - 1)` in any order on all threads; returns when all are done.
    ///
    /// The threads claim tasks one by one, so tasks should take well over 100 ns. A run within a task, or while another
    /// thread uses the pool, is done by its caller alone.
    func run(_ taskCount: Int, _ body: (Int) -> Void) {
        guard taskCount > 1, threadCount > 1, queue.acquire() else {
            var index = 0
            while index < taskCount {
                body(index)
                index += 1
            }
            return
        }
        withoutActuallyEscaping(body) { queue.run(taskCount, $0) }
        queue.release()
    }

    /// Runs `body` for ranges that cover `0..<count`: all of it on the calling thread if it is too little to share.
    ///
    /// - Parameter operationCount: the multiplications for the whole range, or what takes as long.
    func runInRanges(_ count: Int, operationCount: Int, _ body: (Range<Int>) -> Void) {
        let isShared = operationCount >= Self.leastSharedOperationCount
        let taskCount = isShared ? min(count, operationCount / Self.operationsPerTask) : min(count, 1)
        run(taskCount) { task in body(count * task / taskCount..<count * (task + 1) / taskCount) }
    }

    /// Runs tasks like ``run(_:_:)`` on at most `threadCount` lanes, on one if they are too little work to share.
    ///
    /// A lane runs one task at a time, so its number can select scratch memory. It begins with neighbouring tasks, so
    /// what they read should follow each other too.
    func runInLanes(_ taskCount: Int, operationCount: Int, _ body: (_ task: Int, _ lane: Int) -> Void) {
        let laneCount = operationCount >= Self.leastSharedOperationCount ? min(threadCount, taskCount) : 1
        guard laneCount > 1, queue.acquire() else {
            for task in 0..<taskCount { body(task, 0) }
            return
        }
        shares.divide(taskCount, among: laneCount)
        withoutActuallyEscaping(body) { body in
            queue.run(laneCount) { [shares] lane in
                shares.runTasks(of: lane, taskCount: taskCount, laneCount: laneCount) { body($0, lane) }
            }
        }
        queue.release()
    }

    private static func startWorker(of queue: TaskQueue) -> pthread_t? {
        let argument = Unmanaged.passRetained(queue).toOpaque()
        #if canImport(Darwin)
            var thread: pthread_t?
        #else
            var thread = pthread_t()
        #endif
        if pthread_create(&thread, nil, work, argument) != 0 {
            Unmanaged<TaskQueue>.fromOpaque(argument).release()
            return nil
        }
        return thread
    }
}

#if canImport(Darwin)
    private typealias ThreadArgument = UnsafeMutableRawPointer
#else
    private typealias ThreadArgument = UnsafeMutableRawPointer?
#endif

/// The start routine of a worker, whose argument is its retained queue.
private func work(_ argument: ThreadArgument) -> UnsafeMutableRawPointer? {
    let argument: UnsafeMutableRawPointer? = argument
    if let argument { Unmanaged<TaskQueue>.fromOpaque(argument).takeRetainedValue().work() }
    return nil
}

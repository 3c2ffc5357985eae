/// Memory for the values of one operation, kept and grown from step to step.
final class StepMemory<Element: BitwiseCopyable> {
    private var storage: UnsafeMutablePointer<Element>
    private var capacity = 1

    init() { storage = .allocate(capacity: capacity) }

    /// Uninitialized memory for `count` values, valid until the next call.
    func reserve(_ count: Int) -> UnsafeMutablePointer<Element> {
        if count > capacity {
            storage.deallocate()
            storage = .allocate(capacity: count)
            capacity = count
        }
        return storage
    }

    deinit { storage.deallocate() }
}

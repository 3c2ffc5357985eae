internal import CCUDA

/// Elements in the computer's memory at pages that stay where they are, so that the GPU copies from and to them by
/// itself, while the program goes on.
///
/// The program and a copy that is still queued must not use the same elements: wait for the stream or an event first.
public final class PinnedBuffer<Element: BitwiseCopyable> {
    /// The context whose GPU can copy.
    public let context: Context
    /// The elements, undefined at first.
    public let elements: UnsafeMutableBufferPointer<Element>

    /// Allocates pinned memory for elements.
    ///
    /// Zero elements are allowed and allocate nothing.
    ///
    /// - Throws: ``CUDAError`` with code `outOfMemory` if the system pins no more, or `invalidArgument` for a negative
    ///   or immense count.
    public init(_ context: Context, count: Int) throws(CUDAError) {
        let (byteCount, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
        guard count >= 0, !overflow else {
            throw CUDAError(.invalidArgument, "a pinned buffer cannot have \(count) elements")
        }
        var address: UnsafeMutableRawPointer?
        if byteCount > 0 {
            try context.call(context.driver.memHostAlloc, "\(byteCount) bytes of pinned memory asked for") {
                $0(&address, byteCount, 0)
            }
        }
        self.context = context
        elements = UnsafeMutableBufferPointer(
            start: address?.bindMemory(to: Element.self, capacity: count), count: address == nil ? 0 : count)
    }

    deinit {
        if let address = elements.baseAddress { context.release(context.driver.memFreeHost) { $0(address) } }
    }
}

internal import CCUDA

/// An allocation in a GPU's memory, given back when the last reference to it goes.
///
/// Giving back waits for the GPU to be idle, so it is never done while a step runs: allocate once, at the start.
public final class DeviceMemory: Sendable {
    /// The context that it belongs to.
    public let context: Context
    /// Where it is in the GPU's address space, divisible by 256; 0 if it is empty.
    public let address: UInt64
    /// How large it is.
    public let byteCount: Int

    /// Allocates memory, whose content is undefined.
    ///
    /// Zero bytes are allowed and allocate nothing.
    ///
    /// - Throws: ``CUDAError`` with code `outOfMemory` if the GPU has not enough, which leaves it as it was.
    public init(_ context: Context, byteCount: Int) throws(CUDAError) {
        guard byteCount >= 0 else {
            throw CUDAError(.invalidArgument, "cannot allocate \(byteCount) bytes of GPU memory")
        }
        var address: CUdeviceptr = 0
        if byteCount > 0 {
            try context.call(context.driver.memAlloc, Self.request(byteCount, context)) { $0(&address, byteCount) }
        }
        self.context = context
        self.address = address
        self.byteCount = byteCount
    }

    deinit {
        if byteCount > 0 { context.release(context.driver.memFree) { $0(address) } }
    }

    private static func request(_ byteCount: Int, _ context: Context) -> String {
        // Without the figure if the GPU is in no state to tell it.
        let free = (try? context.freeByteCount()).map { ", \($0) are free" } ?? ""
        return "\(byteCount) bytes asked for\(free) on \(context.device)"
    }
}

/// Elements in a GPU's memory: an allocation of their own, or a part of one.
///
/// A value of this type keeps the allocation alive. A kernel receives it as the address of its first element.
public struct DeviceBuffer<Element: BitwiseCopyable>: Sendable {
    /// The allocation that holds the elements.
    public let memory: DeviceMemory
    /// Where in the allocation the first element is.
    public let byteOffset: Int
    /// How many elements there are.
    public let count: Int

    /// Allocates memory for elements, whose values are undefined.
    ///
    /// - Throws: ``CUDAError`` with code `outOfMemory`, or `invalidArgument` for a negative or immense count.
    public init(_ context: Context, count: Int) throws(CUDAError) {
        let memory = try DeviceMemory(context, byteCount: try Self.byteCount(of: count))
        self.memory = memory
        byteOffset = 0
        self.count = count
    }

    /// A part of an allocation.
    ///
    /// - Throws: ``CUDAError`` with code `invalidArgument` if the elements do not lie inside it or are not aligned.
    public init(_ memory: DeviceMemory, byteOffset: Int, count: Int) throws(CUDAError) {
        let byteCount = try Self.byteCount(of: count)
        guard byteOffset >= 0, byteCount <= memory.byteCount, byteOffset <= memory.byteCount - byteCount else {
            throw CUDAError(
                .invalidArgument,
                "\(byteCount) bytes from byte \(byteOffset) exceed a GPU allocation of \(memory.byteCount) bytes")
        }
        guard byteOffset % MemoryLayout<Element>.alignment == 0 else {
            throw CUDAError(
                .invalidArgument,
                "byte \(byteOffset) of a GPU allocation is not aligned for \(Element.self), "
                    + "expected a multiple of \(MemoryLayout<Element>.alignment)")
        }
        self.memory = memory
        self.byteOffset = byteOffset
        self.count = count
    }

    /// Where the first element is in the GPU's address space.
    public var address: UInt64 { memory.address + UInt64(byteOffset) }

    /// The size of the elements together.
    public var byteCount: Int { count * MemoryLayout<Element>.stride }

    /// Some of the elements, in the same memory.
    ///
    /// - Throws: ``CUDAError`` with code `invalidArgument` if the range exceeds the buffer.
    public func part(_ range: Range<Int>) throws(CUDAError) -> DeviceBuffer {
        guard range.lowerBound >= 0, range.upperBound <= count else {
            throw CUDAError(.invalidArgument, "elements \(range) exceed a GPU buffer of \(count)")
        }
        let offset = byteOffset + range.lowerBound * MemoryLayout<Element>.stride
        return try DeviceBuffer(memory, byteOffset: offset, count: range.count)
    }

    private static func byteCount(of count: Int) throws(CUDAError) -> Int {
        let (byteCount, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
        guard count >= 0, !overflow else {
            throw CUDAError(.invalidArgument, "a GPU buffer cannot have \(count) elements")
        }
        return byteCount
    }
}

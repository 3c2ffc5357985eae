/// A value that a kernel can be launched with.
///
/// A structure that a kernel takes by value conforms by declaring it, if its fields lie as they do in CUDA:
/// `struct Shape: BitwiseCopyable, KernelArgument { var tokenCount: Int32; var hiddenSize: Int32 }`. `Int` does not
/// conform, since its size is not that of CUDA's `int`.
public protocol KernelArgument {
    /// What the kernel receives.
    associatedtype Parameter: BitwiseCopyable
    /// The value as the kernel receives it.
    var parameter: Parameter { get }
}

extension KernelArgument where Self: BitwiseCopyable {
    /// The value itself.
    public var parameter: Self { self }
}

extension Int32: KernelArgument {}
extension UInt32: KernelArgument {}
extension Int64: KernelArgument {}
extension UInt64: KernelArgument {}
extension Float: KernelArgument {}

extension DeviceBuffer: KernelArgument {
    /// The address of the first element.
    public var parameter: UInt64 { address }
}

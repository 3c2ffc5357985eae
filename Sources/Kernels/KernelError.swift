/// Why a backend cannot run a layer.
public struct KernelError: Error, Equatable, CustomStringConvertible {
    /// What was found and what the backend supports, with the name of the layer or tensor.
    public let description: String

    /// An error with its one-line message.
    public init(_ description: String) { self.description = description }
}

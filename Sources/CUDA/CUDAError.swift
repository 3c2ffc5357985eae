/// Why something on the GPU could not be done.
public struct CUDAError: Error, Equatable, CustomStringConvertible {
    /// What kind of failure it is.
    public enum Code: Sendable, Equatable {
        /// The driver or the compiler library is not on this machine.
        case libraryMissing
        /// The library was found, but it is too old, too new for the driver, or not the library its name says.
        case libraryUnsuitable
        /// The driver works, but there is no such GPU.
        case deviceMissing
        /// The device or the host has not enough memory.
        case outOfMemory
        /// The caller's numbers do not fit: sizes, counts, argument types, launch dimensions.
        case invalidArgument
        /// The device or the compiler cannot do what is asked.
        case unsupported
        /// A kernel's source does not compile; the message holds the compiler's log.
        case compilation
        /// A kernel or the device failed in a way that makes every later call in this process fail too.
        case contextLost
        /// Any other result of a call.
        case callFailed
    }

    /// What kind of failure it is.
    public let code: Code
    /// The entry point that failed, `cuMemAlloc_v2`; nil if none was called.
    public let call: String?
    /// The number that the call returned; nil if none was called.
    public let result: Int?
    /// The name of that number, `CUDA_ERROR_OUT_OF_MEMORY`; nil if none was called.
    public let name: String?
    /// What was found, what was expected, and what to do about it.
    public let message: String

    /// A failure that was found before anything was called.
    public init(_ code: Code, _ message: String) {
        self.code = code
        call = nil
        result = nil
        name = nil
        self.message = message
    }

    /// A call that returned a failure.
    init(_ code: Code, call: String, result: Int, name: String, _ message: String) {
        self.code = code
        self.call = call
        self.result = result
        self.name = name
        self.message = message
    }

    /// The call, what it returned, and the message; one line, unless it ends in a compiler's log.
    public var description: String {
        if let call, let name, let result { "\(call): \(name) (\(result)): \(message)" } else { message }
    }
}

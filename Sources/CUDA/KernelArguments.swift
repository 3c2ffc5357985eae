/// The arguments of one launch, laid out as the driver reads them: an array of pointers, one to each argument.
///
/// Each argument is checked against the kernel's own parameters, so a wrong count or size is an error and not a kernel
/// that reads beyond its arguments.
struct KernelArguments: ~Copyable {
    /// Each argument starts at a multiple of this, as a tensor map has to.
    private static let alignment = 64

    private let kernel: Kernel
    private let bytes: UnsafeMutableRawPointer
    /// One to each argument.
    let pointers: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    private var count = 0
    private var usedByteCount = 0

    init(for kernel: Kernel) {
        let byteCount = kernel.parameterByteCounts.reduce(0) { $0 + Self.rounded($1) }
        self.kernel = kernel
        bytes = .allocate(byteCount: max(1, byteCount), alignment: Self.alignment)
        pointers = .allocate(capacity: kernel.parameterByteCounts.count + 1)
    }

    deinit {
        bytes.deallocate()
        pointers.deallocate()
    }

    /// Adds the next argument.
    ///
    /// - Throws: ``CUDAError`` with code `invalidArgument` if the kernel has no such parameter.
    mutating func append<Parameter: BitwiseCopyable>(_ parameter: Parameter) throws(CUDAError) {
        guard count < kernel.parameterByteCounts.count else {
            throw CUDAError(
                .invalidArgument, "\(kernel.name): more arguments than its \(kernel.parameterByteCounts.count)")
        }
        let expected = kernel.parameterByteCounts[count]
        guard MemoryLayout<Parameter>.size == expected else {
            throw CUDAError(
                .invalidArgument,
                "\(kernel.name): argument \(count) is a \(Parameter.self) of \(MemoryLayout<Parameter>.size) bytes, "
                    + "expected \(expected)")
        }
        let address = bytes + usedByteCount
        address.storeBytes(of: parameter, as: Parameter.self)
        pointers[count] = address
        count += 1
        usedByteCount += Self.rounded(expected)
    }

    /// Makes sure that no argument is missing.
    ///
    /// - Throws: ``CUDAError`` with code `invalidArgument` if one is.
    func checkComplete() throws(CUDAError) {
        guard count == kernel.parameterByteCounts.count else {
            throw CUDAError(
                .invalidArgument,
                "\(kernel.name): \(count) arguments, expected \(kernel.parameterByteCounts.count)")
        }
    }

    private static func rounded(_ byteCount: Int) -> Int { (byteCount + alignment - 1) / alignment * alignment }
}

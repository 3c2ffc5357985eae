internal import CCUDA

extension Driver {
    private static let remedy =
        "Install the NVIDIA driver, version 550 or newer (in a container: run it with the GPU), or use the CPU"

    /// Opens the driver and initialises it.
    ///
    /// - Parameters:
    ///   - search: where to look; ``LibrarySearch`` says in which order.
    ///   - onReleaseFailure: told when giving back a handle or memory fails. After a lost context every release fails.
    /// - Throws: ``CUDAError`` with code `libraryMissing` or `libraryUnsuitable`, `deviceMissing` if there is no GPU, or
    ///   that of the call that failed.
    public static func load(
        _ search: LibrarySearch = LibrarySearch(), onReleaseFailure: @escaping @Sendable (CUDAError) -> Void = { _ in }
    ) throws(CUDAError) -> Driver {
        let library = try LibrarySearch.open(search.driverCandidates, what: "The NVIDIA driver", remedy: remedy)
        let getVersion: Function<cuDriverGetVersion_fn> = try library.function("cuDriverGetVersion")
        var number: Int32 = 0
        let result = getVersion.pointer(&number)
        guard result == CUDA_SUCCESS else {
            throw CUDAError(
                .callFailed, call: "\(getVersion.name)", result: Int(result.rawValue), name: "error",
                "\(library.path) does not tell its version. \(remedy)")
        }
        let version = Version(Int(number / 1000), Int(number % 1000 / 10))
        guard version >= oldestVersion else {
            throw CUDAError(
                .libraryUnsuitable,
                "\(library.path) supports CUDA \(version), expected \(oldestVersion) or newer. \(remedy)")
        }
        let driver = try Driver(library: library, version: version, onReleaseFailure: onReleaseFailure)
        let initialize: Function<cuInit_fn> = try library.function("cuInit")
        try driver.call(initialize) { $0(0) }
        return driver
    }

    /// The GPUs of this machine, in the driver's order.
    ///
    /// - Throws: ``CUDAError`` of the call that failed. No GPU is an empty list, unless the driver itself refuses.
    public func devices() throws(CUDAError) -> [Device] {
        var count: Int32 = 0
        try call(deviceGetCount) { $0(&count) }
        var devices: [Device] = []
        for index in 0..<Int(count) { devices.append(try Device(index: index, driver: self)) }
        return devices
    }
}

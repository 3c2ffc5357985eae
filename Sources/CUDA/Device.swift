internal import CCUDA

/// A GPU: what it is and what it has.
public struct Device: Sendable, CustomStringConvertible {
    /// The driver that knows it.
    public let driver: Driver
    /// Its place in the driver's list, which `CUDA_VISIBLE_DEVICES` changes.
    public let index: Int
    /// Its product name.
    public let name: String
    /// What its kernels are compiled for.
    public let architecture: Architecture
    /// How many SMs it has.
    public let multiprocessorCount: Int
    /// How much memory it has, used or free.
    public let memoryByteCount: Int
    /// The size of its L2 cache.
    public let l2CacheByteCount: Int
    /// The highest clock of its SMs, in kHz.
    public let clockRate: Int
    /// The highest clock of its memory, in kHz.
    public let memoryClockRate: Int
    /// The width of its memory bus, in bits.
    public let memoryBusWidth: Int
    /// How many threads an SM holds at a time.
    public let maximumThreadsPerMultiprocessor: Int
    /// How many threads a block may have.
    public let maximumThreadsPerBlock: Int
    /// How many 32-bit registers an SM has.
    public let registersPerMultiprocessor: Int
    /// The shared memory that an SM divides among its blocks.
    public let sharedByteCountPerMultiprocessor: Int
    /// The shared memory that a block may have at most, once its kernel has opted in.
    public let maximumSharedByteCountPerBlock: Int

    /// The most that its memory could deliver, in bytes a second: two transfers a clock.
    public var memoryBandwidth: Double { 2 * Double(memoryClockRate) * 1000 * Double(memoryBusWidth) / 8 }

    let handle: CUdevice

    init(index: Int, driver: Driver) throws(CUDAError) {
        guard let number = Int32(exactly: index) else {
            throw CUDAError(.invalidArgument, "there is no GPU \(index)")
        }
        var handle: CUdevice = 0
        try driver.call(driver.deviceGet, "GPU \(index)") { $0(&handle, number) }
        func attribute(_ attribute: CUdevice_attribute) throws(CUDAError) -> Int {
            var value: Int32 = 0
            try driver.call(driver.deviceGetAttribute) { $0(&value, attribute, handle) }
            return Int(value)
        }
        self.driver = driver
        self.index = index
        self.handle = handle
        name = try Self.name(of: handle, driver)
        var byteCount = 0
        try driver.call(driver.deviceTotalMem) { $0(&byteCount, handle) }
        memoryByteCount = byteCount
        architecture = Architecture(
            try attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR),
            try attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR))
        multiprocessorCount = try attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)
        l2CacheByteCount = try attribute(CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE)
        clockRate = try attribute(CU_DEVICE_ATTRIBUTE_CLOCK_RATE)
        memoryClockRate = try attribute(CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE)
        memoryBusWidth = try attribute(CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH)
        maximumThreadsPerMultiprocessor = try attribute(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR)
        maximumThreadsPerBlock = try attribute(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK)
        registersPerMultiprocessor = try attribute(CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR)
        sharedByteCountPerMultiprocessor = try attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR)
        maximumSharedByteCountPerBlock = try attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)
    }

    private static func name(of device: CUdevice, _ driver: Driver) throws(CUDAError) -> String {
        var bytes = [CChar](repeating: 0, count: 256)
        try driver.call(driver.deviceGetName) { $0(&bytes, Int32(bytes.count), device) }
        return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// One line: `NVIDIA H100 80GB HBM3 (sm_90a, 132 SMs, 79.2 GiB)`.
    public var description: String {
        let tenths = (memoryByteCount >> 20) * 10 / 1024
        return "\(name) (\(architecture), \(multiprocessorCount) SMs, \(tenths / 10).\(tenths % 10) GiB)"
    }
}

public import CUDA

/// A kernel that does nothing but move memory, as fast as it can.
///
/// Its device file says what it computes: `any/read.cu`, `sm90/read_bulk.cu`, `any/copy.cu`.
public struct MemoryKernel: Sendable {
    /// What it does with a piece of memory.
    public enum Direction: Sendable {
        /// Reads it and adds up its words.
        case read
        /// Reads it and writes it elsewhere.
        case copy
    }

    /// What it does.
    public let direction: Direction
    /// How it does it, for tables: `bulk copies, 4 x 16384 bytes`.
    public let name: String
    /// The device file.
    public let path: String
    /// The compute capability that it needs at least, as its first number.
    public let oldestArchitecture: Int

    let function: String
    let definitions: [String: Int]
    let threadCount: Int
    let dynamicSharedByteCount: Int

    /// Reads with 16-byte loads, so many of them under way in each thread.
    public static func read(threadCount: Int = 512, loadCount: Int) -> MemoryKernel {
        MemoryKernel(
            direction: .read, name: "loads, \(threadCount) threads x \(loadCount)", path: "any/read.cu",
            oldestArchitecture: 8, function: "read",
            definitions: ["THREADS": threadCount, "LOADS": loadCount], threadCount: threadCount,
            dynamicSharedByteCount: 0)
    }

    /// Reads with Hopper's copy engine through a ring in shared memory.
    public static func readBulk(threadCount: Int = 256, stageCount: Int, stageByteCount: Int) -> MemoryKernel {
        MemoryKernel(
            direction: .read, name: "bulk copies, \(stageCount) x \(stageByteCount) bytes",
            path: "sm90/read_bulk.cu", oldestArchitecture: 9, function: "read_bulk",
            definitions: ["THREADS": threadCount, "STAGES": stageCount, "STAGE_BYTES": stageByteCount],
            threadCount: threadCount + 32, dynamicSharedByteCount: stageCount * stageByteCount)
    }

    /// Copies with 16-byte loads and stores.
    public static func copy(threadCount: Int = 512, loadCount: Int) -> MemoryKernel {
        MemoryKernel(
            direction: .copy, name: "loads and stores, \(threadCount) threads x \(loadCount)", path: "any/copy.cu",
            oldestArchitecture: 8, function: "copy", definitions: ["THREADS": threadCount, "LOADS": loadCount],
            threadCount: threadCount, dynamicSharedByteCount: 0)
    }

    /// Those that are tried to find a GPU's ceiling.
    public static let candidates: [MemoryKernel] = [
        .read(loadCount: 4), .readBulk(stageCount: 4, stageByteCount: 16 << 10),
        .readBulk(stageCount: 6, stageByteCount: 32 << 10),
        .copy(threadCount: 1024, loadCount: 8), .copy(threadCount: 256, loadCount: 16),
    ]

    /// The program to compile.
    ///
    /// - Throws: ``CUDA/CUDAError`` if the sources lack its file.
    public func program(
        from sources: KernelSources, for architecture: Architecture
    ) throws(CUDAError) -> KernelProgram {
        try sources.program(path, for: architecture, definitions: definitions)
    }

    /// The kernel, loaded, and a launch that fills the GPU once.
    package func load(
        from sources: KernelSources, _ cache: KernelCache, in context: Context
    ) throws(CUDAError) -> (kernel: Kernel, launch: Launch) {
        let program = try program(from: sources, for: context.device.architecture)
        let kernel = try cache.module(program, in: context)
            .kernel(function, dynamicSharedByteCount: dynamicSharedByteCount)
        let blockCount = try kernel.blocksPerMultiprocessor(
            threadCount: threadCount, dynamicSharedByteCount: dynamicSharedByteCount)
        let launch = Launch(
            grid: Launch.Extent(max(1, blockCount) * context.device.multiprocessorCount),
            block: Launch.Extent(threadCount), dynamicSharedByteCount: dynamicSharedByteCount)
        return (kernel, launch)
    }
}

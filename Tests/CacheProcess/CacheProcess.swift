import CUDA

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Fills a kernel cache, for the test that several processes do so at the same time.
///
/// Arguments: the library that serves as compiler, the cache's folder, how many programs.
@main
enum CacheProcess {
    static func main() throws {
        // Ends the process if it hangs, so that the test that waits for it ends too.
        alarm(120)
        let arguments = CommandLine.arguments
        guard arguments.count == 4, let programCount = Int(arguments[3]) else {
            throw CUDAError(.invalidArgument, "expected a library, a folder and a count")
        }
        let compiler = try Compiler(LibrarySearch(path: arguments[1]), for: Version(13, 0))
        let cache = KernelCache(compiler: compiler, folder: arguments[2])
        for index in 0..<programCount {
            let text = "extern \"C\" __global__ void kernel_\(index)(int n) {}"
            let program = try KernelSources(files: ["test.cu": text]).program("test.cu", for: Architecture(9, 0))
            _ = try cache.compiled(program)
        }
        let statistics = cache.statistics
        guard statistics.compiledCount + statistics.readCount == programCount else {
            throw CUDAError(.callFailed, "lost programs: \(statistics)")
        }
    }
}

import CUDA
import CUDAKernels

/// Where the driver, the run-time compiler and the kernels are: from the environment, else in the usual places.
struct CUDASettings {
    /// Where the compiler is looked for.
    let compilerSearch: LibrarySearch
    /// The folder of compiled kernels, and where its name comes from; nil to keep none.
    let cacheFolder: (path: String, source: String)?
    /// A folder of kernel sources to use in place of those in the program.
    let sourceFolder: String?

    /// The settings of this process.
    init() {
        compilerSearch = LibrarySearch(
            path: ProcessSettings.variable("NIBBLE_NVRTC"),
            folders: ["VIRTUAL_ENV", "CONDA_PREFIX", "CUDA_HOME"].compactMap { ProcessSettings.variable($0) })
        if let path = ProcessSettings.variable("NIBBLE_KERNEL_CACHE") {
            cacheFolder = (path, "NIBBLE_KERNEL_CACHE")
        } else if let path = ProcessSettings.variable("XDG_CACHE_HOME") {
            cacheFolder = ("\(path)/nibble/kernels", "XDG_CACHE_HOME")
        } else if let path = ProcessSettings.variable("HOME") {
            cacheFolder = ("\(path)/.cache/nibble/kernels", "HOME")
        } else {
            cacheFolder = nil
        }
        sourceFolder = ProcessSettings.variable("NIBBLE_KERNEL_SOURCES")
    }

    /// The text of the kernels.
    func sources() throws -> KernelSources { try sourceFolder.map { try .folder($0) } ?? .embedded }

    /// The first GPU with its kernels.
    ///
    /// - Throws: `CUDAError` that says what is missing.
    func loader() throws -> KernelLoader {
        let driver = try Driver.load()
        guard let device = try driver.devices().first else { throw CUDAError(.deviceMissing, "there is no GPU") }
        let compiler = try Compiler(compilerSearch, for: driver.version)
        let cache = KernelCache(compiler: compiler, folder: cacheFolder?.path) { StandardError.print("nibble: \($0)") }
        return KernelLoader(try Context(device), sources: try sources(), cache: cache)
    }
}

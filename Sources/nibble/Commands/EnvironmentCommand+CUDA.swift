import CUDA
import CUDAKernels

extension EnvironmentCommand {
    /// The GPUs, the libraries that they need, and the kernels: what is there, or why it is not.
    var cudaRows: [Row] {
        let settings = CUDASettings()
        var rows: [Row] = []
        var driverVersion: Version?
        do {
            let driver = try Driver.load()
            driverVersion = driver.version
            rows.append(Row(name: "cuda driver", value: "CUDA \(driver.version)", source: driver.path))
            for device in try driver.devices() {
                rows.append(Row(name: "gpu \(device.index)", value: "\(device)", source: "cuda driver"))
            }
        } catch {
            rows.append(Row(name: "gpu", value: "none", source: "\(error)"))
        }
        do {
            let compiler = try Compiler(settings.compilerSearch, for: driverVersion)
            rows.append(Row(name: "nvrtc", value: "\(compiler.version)", source: compiler.path))
        } catch {
            rows.append(Row(name: "nvrtc", value: "none", source: "\(error)"))
        }
        rows.append(
            row("gpu kernels", variable: "NIBBLE_KERNEL_SOURCES") {
                _ = try settings.sources()
                return settings.sourceFolder ?? "built in"
            })
        rows.append(row("moe backend", variable: "NIBBLE_MOE_BACKEND") { try ProcessSettings.moeBackend().rawValue })
        let cache = settings.cacheFolder.map { folder in
            Row(
                name: "gpu kernel cache", value: "\(KernelCache.entries(in: folder.path).count) in \(folder.path)",
                source: folder.source)
        }
        rows.append(
            cache
                ?? Row(
                    name: "gpu kernel cache", value: "none",
                    source: "neither NIBBLE_KERNEL_CACHE nor XDG_CACHE_HOME nor HOME is set"))
        return rows
    }

    /// A setting that an environment variable can change, or what is wrong with it.
    private func row(_ name: String, variable: String, _ value: () throws -> String) -> Row {
        do {
            let source = ProcessSettings.variable(variable) == nil ? "default" : variable
            return Row(name: name, value: try value(), source: source)
        } catch {
            return Row(name: name, value: "invalid", source: "\(error)")
        }
    }
}

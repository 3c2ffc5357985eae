import Testing

@Suite("nibble env")
struct EnvironmentTests {
    @Test("a missing run-time compiler is shown with what to install")
    func missingCompiler() throws {
        let result = try CommandRunner.run(["env"], environment: ["NIBBLE_NVRTC": "/nonexistent/libnvrtc.so"])
        #expect(result.status == 0)
        #expect(result.output.contains("/nonexistent/libnvrtc.so. Install NVRTC"))
    }

    @Test("the cache of kernels is shown with its folder and where that comes from")
    func cache() throws {
        let result = try CommandRunner.run(["env"], environment: ["NIBBLE_KERNEL_CACHE": "/nonexistent/kernels"])
        #expect(result.output.contains("0 in /nonexistent/kernels  (NIBBLE_KERNEL_CACHE)"))
        let usual = try CommandRunner.run(["env"], environment: ["HOME": "/nonexistent"])
        #expect(usual.output.contains("0 in /nonexistent/.cache/nibble/kernels  (HOME)"))
    }

    @Test("the backend of experts is shown with where it comes from")
    func backend() throws {
        let usual = try CommandRunner.run(["env"])
        #expect(usual.output.contains("auto  (default)"))
        let chosen = try CommandRunner.run(["env"], environment: ["NIBBLE_MOE_BACKEND": "latency"])
        #expect(chosen.output.contains("latency  (NIBBLE_MOE_BACKEND)"))
    }

    @Test("operations that the self-test does not have are refused")
    func refusedOperations() throws {
        for operations in ["quantize,sort", "quantize,,moe", "moe,", ""] {
            let result = try CommandRunner.run(["selftest", "--only", operations])
            #expect(result.status == 64 && result.errors.contains("'\(operations)' is invalid for '--only"))
        }
    }

    @Test("a backend of experts that there is not is refused by name, and running a model on a GPU too")
    func refusedBackends() throws {
        let bench = try CommandRunner.run(
            ["bench", "kernels", "moe", "--device", "cuda"], environment: ["NIBBLE_MOE_BACKEND": "fast"])
        #expect(bench.status == 1)
        #expect(bench.errors.contains("NIBBLE_MOE_BACKEND: expected one of auto, latency, throughput, found 'fast'"))
        let generate = try CommandRunner.run(["generate", "Once", "--device", "cuda"])
        #expect(generate.status == 64)
        #expect(generate.errors.contains("models run on the CPU so far"))
    }
}
